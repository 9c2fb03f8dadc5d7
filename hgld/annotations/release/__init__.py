"""Turn annotations into a release (version, changes, cards, checksums), and share it."""
