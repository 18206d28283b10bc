"""Networks of all runs, agents and members at once: layers, Adam, action distributions."""
