"""Data sets that a real server on this host has."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import web
from blob import FILE
from web import Web

from gan_runtime.data.registry import SOURCES, IdxSource


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("GAN_EDGE_OFFLINE")
    monkeypatch.setattr("gan_runtime.data.download.PAUSE_SECONDS", 0)
    with web.serve() as server:
        yield server


@pytest.fixture
def secure_server(server: Web, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server by https with a certificate that is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(web.CERTIFICATE))
    with web.serve(secure=True) as secure_server:
        yield secure_server


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make `blob` a data set that has these mirrors."""

    def mirrors(*addresses: str) -> None:
        monkeypatch.setitem(SOURCES, "blob", IdxSource({"train": (FILE, FILE)}, (), "none", addresses))

    return mirrors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "gan-edge" / "blob"
