"""Simulated figures against reference figures: of other simulators, of silicon, from papers."""
