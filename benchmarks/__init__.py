"""Measurements of speed and sample efficiency; each runs as `python -m benchmarks.NAME` and prints JSON last."""
