"""Shared weights: one graph for all architectures, ENAS and NAO's pool."""
