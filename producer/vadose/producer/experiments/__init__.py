"""Experiments with the methods on real data and on the simulated world, for the pages of the systems."""
