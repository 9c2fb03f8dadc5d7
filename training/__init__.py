"""Training with hierarchical average precision: images and labels, model, run, embedded index."""
