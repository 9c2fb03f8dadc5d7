"""An index of pictures: embeddings kept on disk, and exact search in them."""
