"""One HTTP GET that always ends: silence, a trickle and endless redirects are noticed."""

import socket
import ssl
import string
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from types import TracebackType
from typing import Any
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, UnknownHandler

from gan_runtime import __version__

TIMEOUT_SECONDS = 20.0  # of silence
SLOW_SECONDS = 60.0
SLOW_RATE = 1000  # bytes per second; below this for SLOW_SECONDS, another mirror is worth a try
MOST_REDIRECTS = 5
CHUNK = 1 << 16


class Failed(Exception):
    """Why an address gave nothing, in a few words; `again`: the same request may well succeed the next time."""

    def __init__(self, reason: str, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


@dataclass(frozen=True)
class Answer:
    """What a server answered; `chunks` raises Failed, `length` is what it says is to come, None if it does not."""

    status: int
    headers: Message
    length: int | None
    chunks: Iterator[bytes]


@contextmanager
def get(url: str, headers: dict[str, str]) -> Iterator[Answer]:
    """Request `url` and what it redirects to, by http and https alone; proxies are those of the environment.

    Raises:
        Failed: no answer. An answer with any status is an answer.
    """
    with _Watch() as watch:
        with _failures(watch):
            response = _follow(url, {"User-Agent": f"gan-edge/{__version__}", **headers}, watch)
        with closing(response):
            yield Answer(response.status, response.headers, response.length, _chunks(response, watch))


def _follow(url: str, headers: dict[str, str], watch: "_Watch") -> HTTPResponse:
    """By hand: urllib reads the whole body of a redirect into memory, and follows to ftp."""
    opener = OpenerDirector()
    for handler in (ProxyHandler(), UnknownHandler(), _Handler(watch)):
        opener.add_handler(handler)
    for _ in range(MOST_REDIRECTS + 1):
        scheme = urlsplit(url).scheme
        if scheme not in {"http", "https"}:
            raise Failed(f"{scheme}: is refused; only http and https are allowed" if scheme else "not an http address")
        response: HTTPResponse = opener.open(Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
        location = response.headers.get("Location")
        if response.status not in {301, 302, 303, 307, 308} or location is None:
            return response
        response.close()
        url = urljoin(url, quote(location, safe=string.punctuation, encoding="iso-8859-1"))
    raise Failed(f"redirects more than {MOST_REDIRECTS} times")


def _chunks(response: HTTPResponse, watch: "_Watch") -> Iterator[bytes]:
    while True:
        with _failures(watch, again=True):
            chunk = response.read1(CHUNK)  # not read(): that waits until all of it is there
        if not chunk:
            return
        watch.received += len(chunk)
        yield chunk


@contextmanager
def _failures(watch: "_Watch", again: bool = False) -> Iterator[None]:
    """Turn whatever a connection may raise into Failed; texts of the server are not repeated to the terminal."""
    try:
        yield
        if not watch.slow:
            return
    except (OSError, HTTPException, ValueError) as error:
        if not watch.slow:
            raise Failed(_reason(error), again) from error
    raise Failed(f"slower than {SLOW_RATE / 1000:g} kB/s for {SLOW_SECONDS:g} s")


def _reason(error: Exception) -> str:
    if isinstance(error, URLError) and isinstance(error.reason, Exception):
        return _reason(error.reason)
    if isinstance(error, TimeoutError):
        return f"silent for {TIMEOUT_SECONDS:g} s"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {getattr(error, 'verify_message', None) or error.reason or 'connection broken'}"
    if isinstance(error, HTTPException) and not isinstance(error, OSError):
        return f"not HTTP as it should be ({type(error).__name__})"
    return str(getattr(error, "strerror", None) or error)


class _Watch:
    """Shuts down a connection on which too little comes: a read with a timeout may still take for ever."""

    def __init__(self) -> None:
        self.received = 0
        self.slow = False
        self.socket: socket.socket | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        before = self.received
        while not self._ended.wait(SLOW_SECONDS):
            if self.socket is not None and self.received - before < SLOW_RATE * SLOW_SECONDS:
                self.slow = True
                with suppress(OSError):  # closed in the meantime
                    socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # below TLS, which would wait for an answer
            before = self.received


class _Connection(HTTPConnection):
    """A connection that shows its socket to a watch."""

    def __init__(self, host: str, watch: _Watch | None = None, **settings: Any) -> None:
        super().__init__(host, **settings)
        self._watch = watch

    def connect(self) -> None:
        super().connect()
        if self._watch is not None:
            self._watch.socket = self.sock


class _SecureConnection(_Connection, HTTPSConnection):
    """The same with TLS."""


class _Handler(HTTPHandler, HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_Connection, watch=self._watch), req)

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_SecureConnection, watch=self._watch), req)
