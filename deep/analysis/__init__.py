"""What is measured of learners: theory in the loop, drift, statistics, benchmarks."""
