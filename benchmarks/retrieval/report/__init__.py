"""The report of a benchmark: its page, its tables, and a leaderboard over several."""
