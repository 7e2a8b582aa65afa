"""Measure generated images: features, reference data, metrics, scores and their table."""
