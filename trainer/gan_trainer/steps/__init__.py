"""One train_step per family of systems; each reads like its paper."""
