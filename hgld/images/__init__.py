"""GLDv2's image tars, checked and extracted."""
