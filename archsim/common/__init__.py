"""Small shared ground under every package: errors, YAML with positions, units, data files."""
