"""Spaces given as a list of token sequences."""
