"""Votes of pictures, by CLIP, for landmarks without a labelled class."""
