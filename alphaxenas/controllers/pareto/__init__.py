"""Searches for several objectives at once: what the objectives are, fronts, and strategies that look for them."""
