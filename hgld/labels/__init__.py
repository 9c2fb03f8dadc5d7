"""Labels of classes: encodes and clusters them, and proposes a super-category for each."""
