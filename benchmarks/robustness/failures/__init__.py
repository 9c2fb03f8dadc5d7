"""Which predictions of a classifier are wrong? Simple scores and a learned confidence compared."""
