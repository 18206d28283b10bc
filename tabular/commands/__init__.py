"""tabular.commands."""
