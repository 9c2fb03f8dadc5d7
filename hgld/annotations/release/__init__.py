"""What makes annotations a release: version, changes, cards, checksums; how one is shared."""
