"""Guesses for landmarks that no class gives a label, accepted or refused in groups."""
