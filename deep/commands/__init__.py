"""The command line `python -m deep`; no mathematics."""
