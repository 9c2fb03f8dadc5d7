"""Heads that learn how far a frozen model is right, and how their settings are chosen."""
