"""Damages, kills and times a finished build, and counts what came of it."""
