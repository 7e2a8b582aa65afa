"""One module per command: it parses the arguments, makes one call, and prints a report."""
