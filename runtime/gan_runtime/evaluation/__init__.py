"""How good images are: features, reference, metrics, scores and their table."""
