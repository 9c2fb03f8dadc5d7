"""Labels for landmarks that no class gives one, by words, parents and pictures, and how sure."""
