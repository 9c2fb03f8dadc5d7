"""Watching a run: validation, whether it learns, its page, TensorBoard."""
