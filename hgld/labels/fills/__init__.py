"""Labels for landmarks that no class gives one, by a look at their pictures."""
