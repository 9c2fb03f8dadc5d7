"""The rows that the scrape is given and those that it makes."""
