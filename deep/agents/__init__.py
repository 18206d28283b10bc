"""deep.agents."""
