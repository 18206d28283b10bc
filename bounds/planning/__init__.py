"""bounds.planning."""
