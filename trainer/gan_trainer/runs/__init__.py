"""The run folder, and the observers that write to it or to the terminal."""
