"""A pool of trained cells: `__main__` makes it, `shared` rates it, `pool` reads it, searches run on it in `replay`."""
