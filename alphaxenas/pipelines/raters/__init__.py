"""Who rates the children of a search, in this process or on workers."""
