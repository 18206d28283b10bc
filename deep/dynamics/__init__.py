"""Dynamics models: exact ones, ensembles, their prediction heads, fitting and compounding error."""
