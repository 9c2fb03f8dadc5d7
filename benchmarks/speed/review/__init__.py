"""Speed of what a reviewer waits for: the log, the map and the page."""
