"""The embedded default: famous landmarks written down as facts, and pictures drawn of them."""
