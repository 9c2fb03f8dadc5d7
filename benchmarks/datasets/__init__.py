"""Data sets of retrieval, each read from its official files into one form (`RetrievalData`)."""
