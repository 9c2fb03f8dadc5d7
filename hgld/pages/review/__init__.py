"""The review page: where a person turns clusters into a taxonomy."""

PORT = 8765
"""Of the page, where no other is asked for and nothing else has it."""
