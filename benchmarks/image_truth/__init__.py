"""A pool of trained cells: `__main__` makes it, `shared` rates it, `pool` reads it, `replay` lets searches run on it."""
