"""Asking Commons and Wikidata, and keeping what they answered."""
