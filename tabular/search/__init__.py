"""The search for games that break a bound: breeding, gradient ascent, and the refuter's verdict."""
