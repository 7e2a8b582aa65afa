"""Train and export feature networks."""
