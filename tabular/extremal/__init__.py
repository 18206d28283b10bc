"""The worst games: those that attain the coupling bounds, and what more cannot be attained."""
