"""What the pictures of landmarks that no class gives a label say: each votes, by CLIP."""
