"""What words, parents and pictures are worth to `hgld fill`, alone and together."""
