"""Worlds to train in: particle tasks, finite games, Climb, and adapters to PettingZoo."""
