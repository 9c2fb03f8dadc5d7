"""The data set as a page on this machine."""
