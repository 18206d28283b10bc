"""bounds.figures."""
