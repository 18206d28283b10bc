"""AORPO and AORDPG: Algorithm 1, rollout lengths, branches, and the one place that counts calls."""
