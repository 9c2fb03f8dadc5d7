"""How good proposals are: fitted on a silver set, scored on any list with official answers."""
