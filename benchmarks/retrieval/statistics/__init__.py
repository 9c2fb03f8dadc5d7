"""How sure the figures of the benchmark are: intervals, paired tests, and spread over seeds."""
