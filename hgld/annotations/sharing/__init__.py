"""Releases brought here and sent elsewhere, each file checked against SHA256SUMS."""
