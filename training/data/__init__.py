"""Labelled images: from tables and files to batches of tensors."""
