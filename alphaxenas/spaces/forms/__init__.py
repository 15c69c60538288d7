"""How others write architectures: DARTS and NAO."""
