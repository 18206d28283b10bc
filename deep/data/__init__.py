"""Transitions: batches, the replays of real and model transitions, the validation split."""
