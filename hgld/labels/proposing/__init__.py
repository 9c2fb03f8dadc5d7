"""Proposals for the reviewer of each class, with their evidence."""
