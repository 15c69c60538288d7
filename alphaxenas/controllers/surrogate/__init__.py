"""Searches led by a surrogate model: GuidedSearch and AlphaX, with their models."""
