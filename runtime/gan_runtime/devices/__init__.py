"""What this host has: processors, GPUs, execution providers. The code for GPUs is imported only if it is needed."""
