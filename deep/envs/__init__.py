"""deep.envs."""
