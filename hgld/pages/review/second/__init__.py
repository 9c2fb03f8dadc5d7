"""A second opinion: classes that somebody has decided are decided again, blind, and compared."""
