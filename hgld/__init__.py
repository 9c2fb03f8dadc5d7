"""H-GLDv2, rebuilt: hierarchical labels for the landmarks of Google Landmarks v2."""

__version__ = "0.1.0"
