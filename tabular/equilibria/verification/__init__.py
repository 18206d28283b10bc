"""Float equilibria checked against what rounding explains, and mended where it does not."""
