"""What is said of a release to people and to programs."""
