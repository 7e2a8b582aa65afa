"""What the commands of both packages share: options, error lines, progress."""
