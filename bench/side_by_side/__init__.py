"""Times of each stage beside those of a plain reference loop in the manner of the published scripts."""
