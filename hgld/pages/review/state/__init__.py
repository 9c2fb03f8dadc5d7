"""What the page knows: the classes, what is decided and proposed of them, and their landmarks."""
