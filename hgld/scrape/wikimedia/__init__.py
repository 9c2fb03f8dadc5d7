"""What the answers and texts of Commons and Wikidata mean. Pure: nobody is asked here."""
