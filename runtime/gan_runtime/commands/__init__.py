"""One module per command: arguments in, one call, a report out."""
