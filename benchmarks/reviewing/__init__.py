"""What a review costs: actions and keys, counted by a simulated reviewer."""
