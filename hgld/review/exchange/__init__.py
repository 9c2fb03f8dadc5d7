"""Decisions in files: a sheet, the events of the log, SKOS; written, and read again."""
