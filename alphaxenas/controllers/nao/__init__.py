"""NAO: encoder, predictor and decoder; gradient ascent in their latent space."""
