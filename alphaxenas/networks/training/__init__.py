"""The one training loop of all networks, its recipe and its replicas."""
