"""Products on XuanTie's matrix extension; all other ops are those of RVV."""
