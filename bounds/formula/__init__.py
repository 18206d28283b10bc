"""bounds.formula."""
