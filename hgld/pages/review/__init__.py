"""The review page: where a person turns clusters into a taxonomy."""
