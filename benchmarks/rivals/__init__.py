"""What people would pick instead: search methods of other libraries on the same tables."""
