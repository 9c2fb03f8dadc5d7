"""What a person decides on each class, and the taxonomy that follows."""
