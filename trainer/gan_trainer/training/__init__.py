"""The training loop, its state, and what a checkpoint holds."""
