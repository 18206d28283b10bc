"""What is proved of the bounds, by algebra that runs, and the prover behind `refute`."""
