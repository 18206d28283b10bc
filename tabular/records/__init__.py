"""tabular.records."""
