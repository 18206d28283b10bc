"""Soft Q iteration (Theorems 6 and 7): one agent, all agents, learned models, limits."""
