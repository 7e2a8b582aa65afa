"""Decode pictures, resize them, arrange images in grids, write PNG."""
