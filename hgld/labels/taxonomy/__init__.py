"""The taxonomy that ships: the 78 super-categories, their names, what is known of classes."""
