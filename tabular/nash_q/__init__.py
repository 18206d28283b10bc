"""tabular.nash_q.learning."""
