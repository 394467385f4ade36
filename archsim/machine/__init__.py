"""The machine: a Program and a Design in, a RunResult out."""
