"""What torchrun says to the processes that it starts. Imports no torch."""

import os


def launched() -> bool:
    """Whether torchrun has started this process as one of several."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def follows() -> bool:
    """Whether this is one of several processes, and not the first one."""
    return launched() and os.environ.get("RANK") != "0"
