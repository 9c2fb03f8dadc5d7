"""Which rows are of no class that a model was trained on? HEAT, and the scores it has to beat."""
