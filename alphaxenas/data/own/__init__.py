"""A user's own images: arrays, a folder of pictures, Parquet files."""
