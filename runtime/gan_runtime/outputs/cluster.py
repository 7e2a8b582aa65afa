"""The parts of a job on a Ray cluster. Ray is imported when a job is handed to it."""

import io
import pickle
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

from gan_runtime import __version__
from gan_runtime.errors import DeviceError, GanEdgeError, InputError
from gan_runtime.terminal.text import note

T = TypeVar("T")
R = TypeVar("R")

WAITING = 1000  # parts that Ray knows of at a time: enough for its autoscaler, and a constant amount of memory
PER_PLACE = 4  # parts for each that can run at once, if they may be small: those that are slow do not come last
PATIENCE = 5.0  # seconds that a cluster may take to answer, and interrupted parts to remove their temporary files
NO_IMPORT = "failed to import on the worker"  # in Ray's message
ENVIRONMENT = {"ORT_DISABLE_TELEMETRY": "1", "OPENBLAS_NUM_THREADS": "1"}  # as in the commands


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, and what each part of a job has there.

    All nodes have the same versions of gan-edge, ONNX Runtime and zlib-ng, and see the files of the job under the same
    paths.

    Attributes:
        address: host:port, or "local" for a new one on this host; "" for that of RAY_ADDRESS, or the one that runs on
            this host, or else a new one.
        cpus: processors of a part.
        gpus: GPUs of a part, 0 or 1.
        quiet: no message on stderr.
    """

    address: str = ""
    cpus: int = 1
    gpus: int = 0
    quiet: bool = False

    @property
    def device(self) -> str:
        """Where the parts run: "cuda", on the GPU that Ray chooses, or "cpu"."""
        return "cuda" if self.gpus else "cpu"

    def report(self) -> dict[str, Any]:
        """The facts for --json."""
        return {"device": self.device, "threads": self.cpus, "ray": self.address or "auto"}

    def map(
        self, work: Callable[[Sequence[T]], R], items: Sequence[T], most: int = 1
    ) -> Iterator[tuple[Sequence[T], R]]:
        """Each part of `items` with what `work` returns for it, in the order in which they end.

        A part whose node or process dies is run again by Ray, as often as Ray does that (3 times). If a part fails, or
        the consumer stops, the others are stopped.

        Args:
            work: pickled once per worker process.
            items: that are divided into contiguous parts.
            most: items of a part. There are fewer if there would be too few parts for all nodes.

        Raises:
            InputError, DeviceError: the cluster cannot be used.
            GanEdgeError: what `work` raises.
        """
        if not items:
            return
        with _connected(self.address) as ray:
            places = self._places(ray)
            size = max(1, min(most, -(-len(items) // (PER_PLACE * places))))
            if not self.quiet:
                note(f"ray: {places:,} parts at a time, on {self.device}")
            task = ray.remote(_task).options(num_cpus=self.cpus, num_gpus=self.gpus)
            sent = [ray.put(pickle.dumps(work))]
            begun = ((task.remote(versions(), sent, part), part) for part in _parts(items, size))
            yield from _results(ray, begun)

    def _places(self, ray: Any) -> int:
        """How many parts can run at once. Raises DeviceError if it is none."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        places = sum(
            int(min(node.get("CPU", 0) // self.cpus, node.get("GPU", 0) // self.gpus if self.gpus else WAITING))
            for node in nodes
        )
        if not places:
            gpu = ", a GPU" if self.gpus else ""
            raise DeviceError(
                f"--ray: no node of the cluster has what a part needs, processors: {self.cpus}{gpu}; add such a node, "
                "or choose --threads and --device"
            )
        return places


def versions() -> dict[str, str]:
    """The versions that the bytes of images, and of their files, depend on."""
    found = {"gan-edge": __version__}
    for name in ("onnxruntime", "onnxruntime-gpu", "zlib-ng"):
        with suppress(PackageNotFoundError):
            found[name.removesuffix("-gpu")] = version(name)
    return found


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster for the length of the block; one that was connected before stays so."""
    import ray  # noqa: PLC0415

    if ray.is_initialized():
        yield ray
        return
    _check_answers(address)
    with redirect_stdout(io.StringIO()):  # Ray prints the log of a node that ends there, among the results
        try:
            _start(ray, address)
            yield ray
        finally:
            ray.shutdown()


def _start(ray: Any, address: str) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    environment = {"env_vars": ENVIRONMENT}
    try:
        ray.init(address or None, log_to_driver=False, logging_level="ERROR", runtime_env=environment)
    except (OSError, ValueError, RuntimeError) as error:
        raise DeviceError(f"--ray {address or 'auto'}: cannot be used: {_first_line(error)}") from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray has replaced it


def _check_answers(address: str) -> None:
    """Raise DeviceError if nobody listens at host:port. Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise DeviceError(f"--ray {address}: does not answer ({error}); start it with ray start --head") from None


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[first : first + size] for first in range(0, len(items), size))


def _results(ray: Any, begun: Iterator[tuple[Any, T]]) -> Iterator[tuple[T, Any]]:
    """Parts with the results of their tasks, as they end. `begun` starts the tasks, at most `WAITING` of them ahead."""
    running: dict[Any, T] = {}
    try:
        while True:
            while len(running) < WAITING and (one := next(begun, None)):
                running[one[0]] = one[1]
            if not running:
                return
            (ready,), _ = ray.wait(list(running), num_returns=1)
            yield running.pop(ready), _result(ray, ready)
    finally:
        for task in running:
            ray.cancel(task)
        if running:
            ray.wait(list(running), num_returns=len(running), timeout=PATIENCE)


def _result(ray: Any, task: Any) -> Any:
    """The result of a task. Raises its own error, or DeviceError if Ray gave it up."""
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, GanEdgeError):
            raise error.cause from None
        if isinstance(error.cause, ModuleNotFoundError) or NO_IMPORT in str(error.cause):
            reason = str(error.cause).strip().splitlines()[-1]
            raise DeviceError(
                f"--ray: a node does not have all packages ({reason}); install gan-edge in the same way on all"
            ) from None
        raise
    except ray.exceptions.RayError as error:
        raise DeviceError(f"--ray: a part was given up: {_first_line(error)}; the same command resumes") from None


def _task(expected: dict[str, str], sent: list[Any], part: Sequence[T]) -> Any:
    """A part, in a worker process of the cluster. Raises InputError if it has other versions."""
    if (here := versions()) != expected:
        told = (", ".join(map(" ".join, found.items())) for found in (here, expected))
        raise InputError(
            f"--ray: node {socket.gethostname()} has {next(told)}, and the host that hands out the parts has "
            f"{next(told)}; install the same versions on all"
        )
    return _unpacked(sent[0])(part)


@lru_cache(maxsize=1)
def _unpacked(sent: Any) -> Any:
    """The work of a job, unpickled once: its model stays open for the next part."""
    import ray  # noqa: PLC0415

    return pickle.loads(ray.get(sent))


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
