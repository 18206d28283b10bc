"""Nash and logit equilibria of stage games and of whole stochastic games, with their residuals."""
