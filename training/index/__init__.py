"""An embedded index: embeddings kept on disk, and exact search in them."""
