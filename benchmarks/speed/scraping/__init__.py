"""What a scrape costs: against a local Wikimedia."""
