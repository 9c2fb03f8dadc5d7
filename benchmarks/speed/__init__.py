"""Speed of our own code, each script against a baseline in the same run."""
