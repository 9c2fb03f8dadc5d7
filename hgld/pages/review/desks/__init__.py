"""Two desks beside the review, each with rows and a few keys: guesses, and second opinions."""
