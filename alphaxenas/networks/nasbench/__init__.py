"""The trainable networks of NAS-Bench-101 and NAS-Bench-201."""
