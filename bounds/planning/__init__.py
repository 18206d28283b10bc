"""Rollout lengths offline: k from errors, and nⱼ of every opponent from a budget."""
