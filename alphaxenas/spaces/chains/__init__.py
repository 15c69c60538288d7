"""Chains of layers whose choices are declared."""
