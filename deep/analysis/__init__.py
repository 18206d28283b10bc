"""deep.analysis."""
