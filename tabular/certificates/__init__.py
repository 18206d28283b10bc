"""tabular.certificates."""
