"""What a model knows about its mistakes, on one table of rows of anybody's embeddings."""
