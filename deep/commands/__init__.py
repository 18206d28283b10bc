"""deep.commands."""
