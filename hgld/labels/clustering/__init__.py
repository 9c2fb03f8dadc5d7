"""Groups of classes with similar labels."""
