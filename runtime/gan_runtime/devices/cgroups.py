"""The control groups of this process, by which Linux limits containers, services and jobs of a cluster."""

from pathlib import Path, PurePosixPath


def groups(controller: str, root: Path) -> list[Path]:
    """Folders of the groups that may limit this process, of cgroup v2 and v1. Some of them need not exist.

    A limit holds for all groups within a group: these are the group of the process, those that it is in, and the root,
    which is the only one that a container sees of its own.

    Args:
        controller: "cpu" or "memory".
        root: "/", or what stands for it in a test.
    """
    top = root / "sys/fs/cgroup"
    bases = {"": top, controller: top / controller}  # v2 has one tree, v1 has one for each controller
    found = dict.fromkeys(bases.values())
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # Linux alone has it
        lines = []
    for _, names, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        inner = PurePosixPath(path.lstrip("/"))
        for base in (bases[name] for name in names.split(",") if name in bases and ".." not in inner.parts):
            found |= dict.fromkeys(base / each for each in (inner, *inner.parents))
    return list(found)
