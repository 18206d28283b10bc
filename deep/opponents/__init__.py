"""Opponent models: policies learned from actions, their errors, and how far policies move."""
