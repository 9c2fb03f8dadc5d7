"""Recipes: settings of `[train]` that belong together, each a file of this folder."""
