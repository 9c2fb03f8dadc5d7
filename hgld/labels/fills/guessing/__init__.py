"""A guess for each landmark: what words mean, how they score, and how often that is right."""
