"""What the suite measures on: frozen features with labels, of packages, builds and models."""
