"""deep.opponents.models."""
