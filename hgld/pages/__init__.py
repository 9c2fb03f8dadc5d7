"""Local pages on which a person works."""
