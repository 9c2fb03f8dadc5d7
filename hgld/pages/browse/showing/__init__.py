"""From tables to what the pages show: pure functions, the same for the page and the site."""
