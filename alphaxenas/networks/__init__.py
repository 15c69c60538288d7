"""Networks built from architectures: one bank of weights, one set of layers, one training loop for all children."""
