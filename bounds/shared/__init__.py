"""bounds.shared."""
