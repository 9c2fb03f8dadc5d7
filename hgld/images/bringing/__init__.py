"""How pictures come to this machine: how much, whole tars, members of them, from their sources."""
