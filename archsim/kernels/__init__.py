"""Generators that write an op of a transformer as a program of the ISA, and what they must compute."""
