"""tabular.cases."""
