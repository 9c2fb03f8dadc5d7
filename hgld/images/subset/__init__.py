"""Some pictures of a split instead of all: which, where they lie, and how they come here."""
