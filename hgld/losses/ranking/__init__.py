"""What the ranking losses are made of: rows, ranks, steps, and sums of steps."""
