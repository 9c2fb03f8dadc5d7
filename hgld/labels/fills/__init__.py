"""Labels for landmarks without a labelled class, from words, parents and pictures."""
