"""Measure a run at intervals, and interpret the metrics."""
