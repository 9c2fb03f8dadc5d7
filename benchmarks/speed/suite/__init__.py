"""All questions of speed by one command: asked one by one, written down, and shown over commits."""
