"""Spatio-temporal fusion of a gappy product with a continuous one: what the method `drcgan` is made of."""
