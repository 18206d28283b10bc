"""The command line `python -m tabular`; no mathematics."""
