"""Damages and kills a finished build, and counts what came of it."""
