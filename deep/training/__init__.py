"""deep.training."""
