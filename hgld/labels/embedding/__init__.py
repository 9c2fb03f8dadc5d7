"""The labels of all classes as vectors, by a text encoder."""
