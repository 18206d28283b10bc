"""tabular.extremal.latch_and_lanes."""
