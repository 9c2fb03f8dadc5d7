"""Every image with the label of its landmark."""
