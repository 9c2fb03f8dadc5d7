"""Training with hierarchical average precision: relevance, losses, metrics, model and loop."""
