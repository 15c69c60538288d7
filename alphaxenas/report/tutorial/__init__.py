"""Drawings that explain a search, and the numbers in them."""
