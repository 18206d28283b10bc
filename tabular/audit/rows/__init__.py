"""tabular.audit.run.rows."""
