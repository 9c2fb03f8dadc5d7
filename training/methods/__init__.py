"""What a model is trained for: the methods that are compared, and their losses."""
