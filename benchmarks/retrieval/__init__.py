"""Trained models and their backbones before training, compared on one protocol."""
