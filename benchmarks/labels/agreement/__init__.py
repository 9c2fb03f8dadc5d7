"""How far the labels of a build agree with official ones."""
