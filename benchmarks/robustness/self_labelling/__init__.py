"""A classifier brought to another source of pictures by its own confident labels (ConDA)."""
