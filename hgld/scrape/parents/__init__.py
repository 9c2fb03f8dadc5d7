"""The parents on Commons of categories: which are asked about, and their table."""
