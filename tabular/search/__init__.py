"""tabular.search.evolution."""
