"""tabular.audit.run."""
