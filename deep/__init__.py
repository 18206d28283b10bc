"""The home of the neural agents: AORPO, AORDPG and their baselines, many seeds trained at once.

Nothing is implemented here yet.
"""
