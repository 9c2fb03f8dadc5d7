"""What the speed benchmarks measure against: a local Wikimedia, and dumps made up."""
