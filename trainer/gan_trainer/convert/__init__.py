"""Published weights of others as networks of this project."""
