"""Measures of agreement as functions of a contingency table, many bootstrap draws at once."""
