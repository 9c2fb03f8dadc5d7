"""Retrieval methods compared on one protocol, and the speed of our own code."""
