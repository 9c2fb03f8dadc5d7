"""The model of a run for other programs, and the card that goes with it."""
