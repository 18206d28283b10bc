"""Finite stochastic games: arrays, policies, chains, files, random and named games."""
