"""How a bound is written down once: quantities, operations, text, trees, error profiles."""
