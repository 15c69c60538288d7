"""Shared weights: one graph for all architectures, ENAS and NAO's pool."""

SAMPLING = ("policy", "uniform")
"""Who draws the architectures that train the shared weights of ENAS."""
SAMPLE_POLICIES = ("uniform", "parameters", "accuracy", "prediction")
"""How architectures of a shared pool are drawn for a training step."""
