"""Data sets with countable modes: points in the plane and stacked digits."""
