"""When a run is measured, and what the numbers say."""
