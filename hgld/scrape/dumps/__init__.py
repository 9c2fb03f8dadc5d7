"""Reading the dump files of Commons and Wikidata instead of asking anybody."""
