"""Trained models, the same untrained, and their backbones, compared on one protocol."""
