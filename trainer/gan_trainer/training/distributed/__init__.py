"""Training in several processes: on several GPUs, or on several hosts. `torchrun` starts the processes."""
