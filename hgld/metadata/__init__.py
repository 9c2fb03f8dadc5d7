"""Checks GLDv2's CSV files and turns them into landmarks and images."""
