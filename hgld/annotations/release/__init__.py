"""What makes annotations a release: version, changes, cards, checksums, signature."""
