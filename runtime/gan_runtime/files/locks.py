"""Locks between processes."""

try:
    import fcntl
except ImportError:  # Windows: two processes that write the same output are not noticed there
    fcntl = None  # type: ignore[assignment]


def lock(descriptor: int, *, wait: bool = False, shared: bool = False) -> bool:
    """Lock an open file or folder until it is closed, at the latest when the process ends.

    Returns:
        False if somebody else has a lock that excludes this one, unless `wait` is set. Without support of the system or
        file system nobody has a lock.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True
