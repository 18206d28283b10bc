"""A case: a game, its model and all policies; exact returns, errors, checks of every bound."""
