"""The `hgld` command line."""
