"""Stations, match-ups, scores, gates: how good a product is, where, when, how sure we are, may it be released."""
