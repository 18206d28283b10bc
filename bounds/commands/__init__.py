"""The command line `python -m bounds`; no mathematics."""
