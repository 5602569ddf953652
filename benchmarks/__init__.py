"""Measurements beside the peers: each pair in one run on one machine, reported as a ratio."""
