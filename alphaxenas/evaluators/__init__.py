"""How good is an architecture: validation accuracy after a budget of training."""

REWARDS = ("last", "best")
"""Which epoch's validation accuracy is the reward."""
FINAL_WEIGHTS = ("scratch", "shared")
"""What the network of a final proposal starts from."""
