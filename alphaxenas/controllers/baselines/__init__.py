"""Random search, regularised evolution and local search."""
