"""The methods that propose: each tells of every class what speaks for which super-category."""
