"""The embedding model and its backbones."""
