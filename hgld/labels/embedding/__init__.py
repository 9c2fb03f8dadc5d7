"""Encodes the labels of all classes as vectors."""
