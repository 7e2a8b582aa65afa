"""Pictures in and out: decode, resize, arrange in grids, write PNG."""
