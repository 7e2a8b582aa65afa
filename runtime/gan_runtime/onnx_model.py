"""What all open models have in common: a file on a device, closed when it is no longer needed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from gan_runtime.devices.processors import available_cpus
from gan_runtime.errors import InputError, ModelError
from gan_runtime.manifest import Manifest
from gan_runtime.model_file import ModelFile, check_repeatable, read_model_file
from gan_runtime.onnx_runtime import Providers
from gan_runtime.request import pad
from gan_runtime.session import Session, check_threads, open_session, run_session
from gan_runtime.threads import Workers

M = TypeVar("M", bound=Manifest)


@dataclass(frozen=True, eq=False, repr=False)
class OnnxModel:
    """An exported file, open on a device. Base class of Generator, Encoder and FeatureNetwork.

    All methods may be called by several threads at once. `close`, or the end of a `with` block, gives the memory of the
    weights back; without it that happens when the object is garbage.

    Two models are equal if they are of the same class, were made from files with the same SHA-256, read in the same
    way, and run on the same device: they give the same results. The number of threads does not matter.

    A model is pickled as the path and the SHA-256 of its file and the arguments it was opened with, and is opened again
    when it is unpickled, so that it can be sent to processes that were spawned. A model opened from bytes cannot be
    pickled, because the bytes are not kept beside ONNX Runtime's copy of the weights.
    """

    model: ModelFile
    """Facts about the file, without its bytes."""
    manifest: Manifest | None
    session: Session
    workers: Workers
    arguments: Mapping[str, Any]
    """What it was opened with."""

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str = "auto",
        threads: int | None = None,
        *,
        providers: Providers | None = None,
    ) -> Self:
        """Open the file at `path`. Arguments and errors are those of `gan_runtime.load`.

        Raises:
            ModelError: also if the file is made for the task of another class.
        """
        return cls.open(read_model_file(path), device, threads, providers=providers)

    @classmethod
    def open(
        cls,
        model: ModelFile,
        device: str = "auto",
        threads: int | None = None,
        *,
        providers: Providers | None = None,
    ) -> Self:
        """As `load`, for a file that has been read already."""
        return cls(*cls.opened(model, cls.manifest_of(model), device, threads, providers))

    @staticmethod
    def opened(
        model: ModelFile,
        manifest: M,
        device: str,
        threads: int | None,
        providers: Providers | None,
        *,
        together: bool = False,
    ) -> tuple[ModelFile, M, Session, Workers, Mapping[str, Any]]:
        """The fields of an open model. Raises ModelError if its graph draws random numbers.

        The threads share the images of a batch; those that work `together` share each operator of one run.
        """
        check_repeatable(model)
        check_threads(threads)
        arguments = {"device": device, "threads": threads, "providers": providers}
        threads = threads or available_cpus()
        session = open_session(model, device, threads=threads if together else 1, providers=providers)
        return replace(model, content=b""), manifest, session, Workers(1 if together else threads), arguments

    @classmethod
    def manifest_of(cls, model: ModelFile) -> Manifest:
        """The manifest of a file that this class can open. Raises ModelError where `model` is no such file."""
        raise NotImplementedError

    @property
    def threads(self) -> int:
        """Threads that compute."""
        return self.workers.threads * self.session.threads

    @property
    def on_cpu(self) -> bool:
        """Whether ONNX Runtime's CPU provider runs it. All others prepare themselves anew for each shape of inputs."""
        return self.session.device == "cpu"

    @property
    def place(self) -> dict[str, Any]:
        """Arguments of `open` for another file that is to run where this one does."""
        device, providers = self.arguments["device"], self.arguments.get("providers")
        chosen = self.session.device if device == "auto" and providers is None else device
        return {"device": chosen, "threads": self.threads, "providers": providers}

    @property
    def closed(self) -> bool:
        """Whether it can no longer be used."""
        return self.session.onnx is None

    def close(self) -> None:
        """Give memory and threads back. Later calls raise InputError, as do running ones before their next batch."""
        self.session.onnx = None
        self.workers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"device={self.session.device!r}, threads={self.threads}"
        return f"<{type(self).__name__} {str(self.model.path)!r}, {state}>"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self.model.sha256, self.session.device))

    def __reduce__(self) -> tuple[Any, ...]:
        path = self.model.path
        if not path.is_file():
            raise InputError(f"{path}: no such file, and a model is pickled as its path; write it to one and load that")
        return _reopen, (type(self), str(path.resolve()), self.model.sha256, dict(self.arguments))

    def sent_to(self, device: str, threads: int) -> Self:
        """This model, which is opened on `device` with so many threads where it is unpickled."""
        return replace(self, arguments={**self.arguments, "device": device, "threads": threads})

    def with_threads(self, threads: int) -> Self:
        """The same open model with so many threads for the images of a batch, here and where it is unpickled."""
        arguments = {**self.arguments, **self.place, "threads": threads}
        return replace(self, workers=Workers(threads), arguments=arguments)

    def run(self, outputs: list[str], feeds: dict[str, Any], n: int, chunk: int = 0) -> list[Any]:
        """The `outputs` of one run on n rows.

        Args:
            outputs: names of outputs.
            feeds: the inputs by name, n rows each.
            n: at least 1.
            chunk: the number of rows of other runs, which this one is padded to, unless it has more or the CPU runs it:
                a GPU tunes itself for each shape.

        Raises:
            DeviceError: the device fails.
            ModelError: a value of a result float32 is not finite.
            InputError: the model is closed.
        """
        rows = n if self.on_cpu else max(n, chunk)
        padded = {name: pad(values, rows) for name, values in feeds.items()} if rows > n else feeds
        found = run_session(self.model, self.session, outputs, padded, rows)
        if rows > n:
            found = [output[:n] for output in found]
        if self.manifest and not all(array.dtype != np.float32 or np.isfinite(array).all() for array in found):
            raise ModelError(f"{self.model.path}: gives values that are not finite")
        return found

    def _key(self) -> tuple[Any, ...]:
        return self.model.sha256, self.session.device, self.arguments.get("assumptions")


def _reopen(kind: type[OnnxModel], path: str, sha256: str, arguments: dict[str, Any]) -> OnnxModel:
    """A pickled model, opened again. Raises ModelError where the file is gone or has changed."""
    model = read_model_file(path)
    if model.sha256 != sha256:
        raise ModelError(f"{path}: has changed since the model was pickled; load it again and pickle that")
    return kind.open(model, **arguments)
