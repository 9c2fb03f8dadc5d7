"""Requests to Commons and Wikidata, and how to read their answers. Pure: no network here."""
