"""Drawings of landmarks by a program, for the demo."""
