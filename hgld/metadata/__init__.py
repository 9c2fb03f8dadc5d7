"""GLDv2's CSV files, checked and turned into landmarks and images."""
