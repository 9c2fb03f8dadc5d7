"""Jobs on a bare list in a file, with no build: labels to proposals, names to fills."""
