"""Recorded runs read back: training, theory in the loop, comparisons over seeds."""
