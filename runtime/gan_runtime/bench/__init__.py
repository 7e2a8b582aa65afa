"""What this host does with a model: speed and memory by batch, threads and tile, beside the limits of the host."""
