"""Plain convolution nets: their network, the whitening of patches, and activations that are computed in one pass."""
