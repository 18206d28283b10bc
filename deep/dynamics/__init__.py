"""deep.dynamics.exact."""
