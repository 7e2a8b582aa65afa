"""One module per command: arguments in, one call, a report out."""

import gc

# Before the imports of a command, which leave no garbage: to look for some takes 4 % of a short run.
gc.set_threshold(100_000)
