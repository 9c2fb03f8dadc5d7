"""The labels of all classes: encoded, clustered, and a super-category proposed for each."""
