"""From each landmark's Commons category to the Wikidata classes it is an instance of."""
