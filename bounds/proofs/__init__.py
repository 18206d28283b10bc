"""bounds.proofs.theorems."""
