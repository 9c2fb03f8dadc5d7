"""`hgld` as tests type it, and what commands run in."""
