"""The log of what persons decided: events that are never changed, and what follows from them."""
