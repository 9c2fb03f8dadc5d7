"""Which settings are worth it, and which method is best: many training runs on one build."""
