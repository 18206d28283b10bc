"""tabular.games."""
