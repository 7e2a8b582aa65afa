"""Exit codes of the commands; 0 is success."""

import signal

FAILURE = 1
USAGE_ERROR = 2
COLLAPSED = 3  # gan-train stopped because the generator collapsed
INCOMPLETE = 4  # some inputs of a job cannot be used; the others are done
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
