"""How good is an architecture: validation accuracy after a budget of training."""
