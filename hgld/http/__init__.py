"""One policy for every server the project talks to, and published files by way of it."""
