"""Certificates made from exact games, for `tabular/verify.py` and `verify_soft.py`."""
