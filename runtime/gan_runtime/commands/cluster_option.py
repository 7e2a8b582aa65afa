"""The cluster that --ray names. Nothing is imported for it unless the option is given."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from gan_runtime.errors import InputError

if TYPE_CHECKING:
    from gan_runtime.outputs.cluster import Cluster


def cluster_of(address: str | None, device: str, threads: int | None, quiet: bool) -> "Cluster | None":
    """The cluster that --ray, --device and --threads name; None without --ray.

    The device "auto" is the CPU there, so that the files do not depend on which nodes have a GPU.

    Raises:
        InputError: Ray is not installed, or the address or the device cannot be used with it.
    """
    if address is None:
        return None
    if find_spec("ray") is None:
        raise InputError("--ray: Ray is not installed here: pip install 'gan-edge[ray]'")
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"--device {device}: Ray chooses the GPU of each part; give cuda")
    if "://" in address:
        raise InputError(f"--ray {address}: Ray Client is not supported; give host:port, on a host that sees the files")
    from gan_runtime.outputs.cluster import Cluster

    return Cluster(address, threads or 1, int(device == "cuda"), quiet)
