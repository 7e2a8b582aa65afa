"""Data sets whose modes can be counted: points in the plane and stacked digits."""
