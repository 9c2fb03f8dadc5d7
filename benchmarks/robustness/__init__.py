"""What a model knows of its own mistakes: failures, abstention, pictures of another kind.

Everything here works on frozen embeddings and on the scores of classifiers trained on them, of any
model.
"""
