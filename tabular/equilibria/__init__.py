"""tabular.equilibria.stage_equilibria."""
