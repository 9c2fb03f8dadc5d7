"""The state put into the rows that the templates write."""
