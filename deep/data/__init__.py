"""deep.data."""
