"""Tables of trained architectures: readers, and studies over many seeds."""
