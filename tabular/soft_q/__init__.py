"""tabular.soft_q.one_agent."""
