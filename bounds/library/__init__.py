"""bounds.library."""
