"""Releases: what stands in a version folder, what must hold, how it is sealed, checked and withdrawn."""
