"""Kernels in plain RVV 1.0 (with Zvfh), and on XuanTie's tiles beside it: ops on main memory, without transfers."""
