"""HEAT: energies of priors, corrected by networks, and put together."""
