"""A real web server on this host whose every answer is scripted, good manners or bad."""

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Behaviour = Callable[["Handler"], None]
CERTIFICATE = Path(__file__).with_name("localhost.pem")


@dataclass(frozen=True)
class Seen:
    """A request as the server saw it, and how many bytes of a body it got."""

    path: str
    headers: dict[str, str]
    sent: list[int] = field(default_factory=lambda: [0])

    @property
    def range(self) -> str | None:
        return self.headers.get("Range")


class Web(ThreadingHTTPServer):
    """Answers of each path in order; the last one is repeated. Paths that are not scripted do not exist."""

    daemon_threads = True

    def __init__(self, secure: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "https" if secure else "http"
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.script: dict[str, list[Behaviour]] = {}
        self.seen: list[Seen] = []
        self.closing = threading.Event()

    def address(self, path: str = "") -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/{path}"

    def answer(self, path: str, *behaviours: Behaviour) -> str:
        self.script[f"/{path}"] = list(behaviours)
        return self.address(path)

    def requests(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == f"/{path}"]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what many tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Web
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        self.seen = Seen(self.path, dict(self.headers.items()))
        self.server.seen.append(self.seen)
        steps = self.server.script.get(self.path, [status(404)])
        (steps.pop(0) if len(steps) > 1 else steps[0])(self)

    def head(self, code: int, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, body: bytes) -> None:
        self.wfile.write(body)
        self.seen.sent[0] += len(body)

    def wait(self, seconds: float = 30) -> None:
        self.server.closing.wait(seconds)

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def serve(secure: bool = False) -> Iterator[Web]:
    """A server that runs while the block does."""
    with Web(secure) as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield web
        finally:
            web.closing.set()
            web.shutdown()
            thread.join()


def whole(body: bytes, length: int | None = None, ranges: bool = True, **headers: object) -> Behaviour:
    """As a good server; with `length` the header says so, with `ranges=False` it knows only whole files."""

    def behave(handler: Handler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if not asked or not ranges:
            handler.head(200, Content_Length=len(body) if length is None else length, **headers)
            return handler.send(body)
        start = int(asked[1])
        if start >= len(body):
            return handler.head(416, Content_Range=f"bytes */{len(body)}", Content_Length=0)
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        handler.head(206, Content_Range=span, Content_Length=len(body) - start, **headers)
        return handler.send(body[start:])

    return behave


def status(code: int, body: bytes = b"", **headers: object) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.head(code, Content_Length=len(body), **headers)
        handler.send(body)

    return behave


def partial(body: bytes, piece: bytes, span: str, **headers: object) -> Behaviour:
    """206 with whatever piece and Content-Range; `body` where no range is asked for."""

    def behave(handler: Handler) -> None:
        if "Range" not in handler.headers:
            return whole(body)(handler)
        return status(206, piece, Content_Range=span, **headers)(handler)

    return behave


def breaks(body: bytes, after: int, wait: float = 0, ranges: bool = True, **headers: object) -> Behaviour:
    """Sends the first bytes, of the range where one is asked for, waits, and hangs up."""

    def behave(handler: Handler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", "")) if ranges else None
        start = int(asked[1]) if asked else 0
        span = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if asked else {}
        handler.head(206 if asked else 200, Content_Length=len(body) - start, **span, **headers)
        handler.send(body[start : start + after])
        if wait:
            handler.wait(wait)

    return behave


def silent(handler: Handler) -> None:
    """Stalls before the first header."""
    handler.wait()


def trickle(body: bytes, fast: int = 0) -> Behaviour:
    """The first bytes at once, then a byte now and then: never silent for long, never done."""

    def behave(handler: Handler) -> None:
        handler.head(200, Content_Length=len(body))
        handler.send(body[:fast])
        while not handler.server.closing.wait(0.02):
            handler.send(body[:1])

    return behave


def slow(body: bytes, piece: int) -> Behaviour:
    """Sends a piece every hundredth of a second."""

    def behave(handler: Handler) -> None:
        handler.head(200, Content_Length=len(body))
        for start in range(0, len(body), piece):
            handler.send(body[start : start + piece])
            handler.wait(0.01)

    return behave


def trickle_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not handler.server.closing.wait(0.02):
        handler.wfile.write(b"x")


def endless(piece: bytes, code: int = 200, **headers: object) -> Behaviour:
    """A body without a length and without an end."""

    def behave(handler: Handler) -> None:
        handler.head(code, **headers)
        while not handler.server.closing.is_set():
            handler.send(piece)

    return behave


def endless_continue(handler: Handler) -> None:
    while not handler.server.closing.is_set():
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def garbage(handler: Handler) -> None:
    handler.wfile.write(b"\x1b[31mSSH-2.0-OpenSSH\r\n")
