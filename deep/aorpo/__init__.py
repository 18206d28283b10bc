"""deep.aorpo.build."""
