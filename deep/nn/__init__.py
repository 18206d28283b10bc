"""deep.nn."""
