"""What a scrape costs: against a local Wikimedia, and on dumps made up."""
