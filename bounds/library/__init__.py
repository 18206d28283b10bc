"""The bounds: the paper's, MBPO's, the simulation lemma, and those that games attain."""
