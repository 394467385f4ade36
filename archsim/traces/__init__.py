"""Instruction traces in files: archsim's own and other tools', and replaying them."""
