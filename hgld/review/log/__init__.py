"""The decision log: append-only events by people, and the state that they add up to."""
