"""What two public sources say of kinds of places, cut down to the super-categories by hand."""
