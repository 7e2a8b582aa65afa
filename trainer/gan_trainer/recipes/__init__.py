"""A recipe: the settings of a training run, and the checks that it must pass."""
