"""The shipped taxonomy: the 78 super-categories, their names, and known classes."""
