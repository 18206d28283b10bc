"""Nash Q-learning as published: rates, stage equilibria, grid games, Climb, assumptions."""
