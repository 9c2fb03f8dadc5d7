"""The shipped taxonomy: what a class's label says of its super-category, before any review."""
