"""The step from labels to proposals and fills, at the size of GLDv2."""
