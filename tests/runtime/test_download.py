import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import web
from blob import BODY, CONTENT, FILE, HALF, OTHER, fetch, is_complete
from web import Behaviour, Web, whole

from gan_runtime.data.download import download
from gan_runtime.data.idx import load_idx
from gan_runtime.data.registry import IdxFile
from gan_runtime.errors import DataError, OutputError


def test_a_file_is_fetched_once(server: Web, mirrors: Callable[..., None], folder: Path) -> None:
    mirrors(server.address("a/"))
    server.answer("a/blob.gz", whole(BODY))
    assert fetch() == folder
    assert fetch() == folder
    assert is_complete(folder)
    (seen,) = server.seen
    assert seen.headers["User-Agent"].startswith("gan-edge/")
    assert seen.range is None


def test_only_what_is_missing_is_fetched(server: Web, mirrors: Callable[..., None], tmp_path: Path) -> None:
    mirrors(server.address("a/"))
    server.answer("a/blob.gz", whole(BODY))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "there").write_bytes(b"")
    download("blob", (FILE, IdxFile("there", 0, "")), folder=tmp_path / "own")
    assert [seen.path for seen in server.seen] == ["/a/blob.gz"]


def test_the_mirror_of_the_environment_is_first(
    server: Web, mirrors: Callable[..., None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors(server.address("a/"))
    monkeypatch.setenv("GAN_EDGE_MIRROR", server.address("mine"))
    server.answer("a/blob.gz", whole(BODY))
    fetch()
    assert [seen.path for seen in server.seen] == ["/mine/blob/blob.gz", "/a/blob.gz"]
    assert is_complete(folder)


def flipped() -> bytes:
    return BODY[:HALF] + bytes([BODY[HALF] ^ 1]) + BODY[HALF + 1 :]


HOSTILE: dict[str, tuple[Behaviour, str]] = {
    "missing": (web.status(404), "HTTP 404 Not Found"),
    "forbidden": (web.status(403, b"<html>"), "HTTP 403 Forbidden"),
    "empty": (web.status(204), "HTTP 204 No Content"),
    "range not asked for": (web.status(206, BODY), "HTTP 206 Partial Content"),
    "always 500": (web.status(500), "HTTP 500 Internal Server Error"),
    "silent": (web.silent, "silent for 0.2 s"),
    "stalls in the body": (web.breaks(BODY, HALF, wait=30, ranges=False), "silent for 0.2 s"),
    "truncates": (whole(BODY[:HALF], len(BODY), ranges=False), f"broke off after {HALF} of {len(BODY)} bytes"),
    "truncates without a length": (web.status(200, BODY[:HALF]), "corrupt: Compressed file ended before the end"),
    "flips a bit": (whole(flipped()), "corrupt: "),
    "another file": (whole(OTHER), f"corrupt: its content has SHA-256 {hashlib.sha256(CONTENT[::-1]).hexdigest()}"),
    "shorter": (whole(gzip.compress(CONTENT[:-1])), "corrupt: its content has 199999 bytes, expected 200000"),
    "longer": (whole(gzip.compress(CONTENT + b"x")), "corrupt: its content has more than 200000 bytes"),
    "trailing bytes": (whole(BODY + b"tail"), "corrupt: Not a gzipped file (b'ta')"),
    "bomb": (whole(gzip.compress(bytes(50_000_000))), "corrupt: its content has more than 200000 bytes"),
    "too long": (whole(b"", 10**12), "longer than the file can be: more than 267536 bytes"),
    "endless": (web.endless(bytes(65536)), "longer than the file can be: more than 267536 bytes"),
    "a page": (whole(b"<!DOCTYPE html>", Content_Type="text/html"), "corrupt: Not a gzipped file (b'<!')"),
    "nothing": (whole(b""), "corrupt: its content has 0 bytes, expected 200000"),
    "no HTTP": (web.garbage, "not HTTP as it should be (BadStatusLine)"),
    "redirect to ftp": (web.status(302, Location="ftp://127.0.0.1/x"), "ftp: is refused; only http and https"),
    "redirect to a file": (web.status(302, Location="file:///etc/passwd"), "file: is refused; only http and https"),
    "redirect loop": (web.status(302, Location="blob.gz"), "redirects more than 5 times"),
    "redirect to nonsense": (web.status(302, Location="http://[x"), "Invalid IPv6 URL"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mirror_is_given_up_with_its_reason(
    server: Web,
    mirrors: Callable[..., None],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    behaviour, reason = HOSTILE[name]
    if "silent" in reason:
        monkeypatch.setattr("gan_runtime.data.download.TIMEOUT_SECONDS", 0.2)
    bad = server.answer("bad/blob.gz", behaviour)
    server.answer("good/blob.gz", whole(BODY))
    mirrors(server.address("bad/"))
    with pytest.raises(DataError) as caught:
        fetch(quiet=True)
    message = str(caught.value)
    assert message.startswith(f"blob: blob.gz cannot be fetched: {server.address('bad/')} {reason}")
    assert "--data-dir, or set GAN_EDGE_MIRROR to " in message
    assert not (folder / "blob.gz").exists()
    assert capsys.readouterr() == ("", "")
    mirrors(server.address("bad/"), server.address("good/"))
    fetch()
    assert is_complete(folder)
    out, err = capsys.readouterr()
    assert out == ""
    assert any(line.startswith(f"{bad}: {reason}") for line in err.splitlines()), err
    assert "\x1b" not in err


TRICKLES = [web.trickle(BODY), web.trickle(BODY, HALF), web.trickle_headers, web.endless_continue]


@pytest.mark.parametrize("behaviour", TRICKLES)
@pytest.mark.parametrize("fixture", ["server", "secure_server"])
def test_a_trickle_is_given_up(
    request: pytest.FixtureRequest,
    mirrors: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Behaviour,
    fixture: str,
) -> None:
    server = request.getfixturevalue(fixture)
    monkeypatch.setattr("gan_runtime.data.download.SLOW_SECONDS", 0.2)
    server.answer("a/blob.gz", behaviour)
    mirrors(server.address("a/"))
    with pytest.raises(DataError, match=r"slower than 1 kB/s for 0\.2 s"):
        fetch(quiet=True)


def test_a_slow_but_steady_server_is_not_given_up(
    server: Web, mirrors: Callable[..., None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_runtime.data.download.SLOW_SECONDS", 0.1)
    server.answer("a/blob.gz", web.slow(BODY, 5000))  # 0.4 s
    mirrors(server.address("a/"))
    fetch()
    assert is_complete(folder)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:1/", "Connection refused"),
        ("http://gan-edge.invalid/", "[^;]*[Nn]ame"),
        ("https://127.0.0.1:{port}/", "TLS: "),
        ("ftp://127.0.0.1/", "ftp: is refused; only http and https are allowed"),
        ("file:///tmp/", "file: is refused"),
        ("here/", "not an http address"),
        ("http://127.0.0.1:x/", r"not HTTP as it should be \(InvalidURL\)"),
        ("http://127.0.0.1:{port}/a b/", r"not HTTP as it should be \(InvalidURL\)"),
        ("http://127.0.0.1:{port}/ä/", "'ascii' codec can't encode"),
    ],
)
def test_an_address_that_leads_nowhere(server: Web, mirrors: Callable[..., None], address: str, reason: str) -> None:
    mirrors(address.format(port=server.server_port))
    with pytest.raises(DataError, match=f"cannot be fetched: {address.format(port=server.server_port)} {reason}"):
        fetch(quiet=True)
    assert server.seen == []


def test_every_mirror_has_its_reason(server: Web, mirrors: Callable[..., None]) -> None:
    mirrors(server.address("a/"), "http://127.0.0.1:1/")
    with pytest.raises(DataError, match=r"/a/ HTTP 404 Not Found; http://127\.0\.0\.1:1/ Connection refused; put"):
        fetch(quiet=True)
    mirrors()
    with pytest.raises(DataError, match="no mirror is known; put"):
        fetch(quiet=True)


def test_a_proxy_of_the_environment_is_used(
    server: Web, mirrors: Callable[..., None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.address())
    server.script["http://gan-edge.invalid/blob.gz"] = [whole(BODY)]
    mirrors("http://gan-edge.invalid/")
    fetch()
    assert is_complete(folder)


def test_redirects_are_followed(server: Web, mirrors: Callable[..., None], folder: Path) -> None:
    mirrors(server.address("a/"))
    server.answer("a/blob.gz", web.status(301, Location="/b/blob.gz"))
    server.answer("b/blob.gz", web.status(307, Location=server.address("c d").replace(" ", "%20")))
    server.answer("c%20d", web.endless(bytes(65536), 302, Location="d"))  # its body is not read
    server.answer("d", whole(BODY))
    fetch()
    assert is_complete(folder)


def test_https_with_a_trusted_certificate(
    server: Web,
    secure_server: Web,
    mirrors: Callable[..., None],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.answer("a/blob.gz", web.status(302, Location=secure_server.address("blob.gz")))
    secure_server.answer("blob.gz", whole(BODY))
    mirrors(server.address("a/"))
    with monkeypatch.context() as distrusting:
        distrusting.delenv("SSL_CERT_FILE")
        with pytest.raises(DataError, match=r"TLS: .*self-signed certificate"):
            fetch(quiet=True)
    fetch()
    assert is_complete(folder)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("{http}blob.gz", "redirects from https to http"),
        ("file:///etc/passwd", "file: is refused; only http and https"),
    ],
)
def test_a_redirect_does_not_leave_https(
    server: Web, secure_server: Web, mirrors: Callable[..., None], location: str, reason: str
) -> None:
    server.answer("blob.gz", whole(BODY))
    secure_server.answer("a/blob.gz", web.status(302, Location=location.format(http=server.address())))
    mirrors(secure_server.address("a/"))
    with pytest.raises(DataError, match=f"{secure_server.address('a/')} {reason}"):
        fetch(quiet=True)
    assert server.seen == []


def test_a_cache_that_cannot_be_made(
    server: Web, mirrors: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors(server.address("a/"))
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="blob: cannot be written: Not a directory; "):
        fetch()
    monkeypatch.setattr("gan_runtime.data.download.cache_folder", lambda: None)
    with pytest.raises(OutputError, match="blob: cannot be fetched without a home folder; set XDG_CACHE_HOME"):
        fetch()
    assert server.seen == []


@pytest.mark.parametrize(("offline", "variable", "by"), [(True, "0", "--offline"), (False, "1", "GAN_EDGE_OFFLINE")])
def test_downloads_can_be_forbidden(
    server: Web,
    mirrors: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    offline: bool,
    variable: str,
    by: str,
) -> None:
    mirrors(server.address("a/"))
    monkeypatch.setenv("GAN_EDGE_OFFLINE", variable)
    with pytest.raises(DataError, match=f"not found in .* and {by} forbids to download them; put"):
        load_idx("blob", "train", offline=offline)
    assert server.seen == []
