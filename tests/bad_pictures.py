"""A folder with every kind of bad file that we could think of; gan-data FOLDER --verify says what each of them is."""

import io
import os
import random
import struct
import zlib
from pathlib import Path

from PIL import Image


def png(size: tuple[int, int] = (40, 40), mode: str = "RGB", colour: object = None) -> bytes:
    """A small valid PNG."""
    content = io.BytesIO()
    Image.new(mode, size, colour).save(content, "png")  # type: ignore[arg-type]
    return content.getvalue()


def noisy_png() -> bytes:
    """A PNG whose data are long enough to be damaged in the middle."""
    content = io.BytesIO()
    Image.frombytes("RGB", (64, 64), random.Random(0).randbytes(64 * 64 * 3)).save(content, "png")
    return content.getvalue()


def bomb_png(width: int, height: int) -> bytes:
    """A few hundred bytes that claim width x height grey pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def jpeg() -> bytes:
    content = io.BytesIO()
    Image.frombytes("RGB", (64, 64), random.Random(0).randbytes(64 * 64 * 3)).save(content, "jpeg")
    return content.getvalue()


def float_tiff() -> bytes:
    content = io.BytesIO()
    Image.new("F", (40, 40), 0.5).save(content, "tiff")
    return content.getvalue()


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


# name -> (content, words of the reason)
BAD_FILES = {
    "empty.png": (b"", "empty"),
    "text.png": (b"this is no picture\n", "not an image of a supported format"),
    "zeros.jpg": (bytes(1000), "not an image of a supported format"),
    "html.jpg": (b"<html><body>404 not found</body></html>", "not an image of a supported format"),
    "only-signature.png": (png()[:8], "damaged, or PNG of a variant that is not read"),
    "only-header.png": (noisy_png()[:33], "damaged"),
    "truncated.png": (noisy_png()[:-4000], "damaged: image file is truncated"),
    "truncated.jpg": (jpeg()[:-900], "damaged: image file is truncated"),
    "wrong-checksum.png": (flipped(noisy_png(), 20), "damaged, or PNG of a variant that is not read"),
    "damaged-data.png": (flipped(noisy_png(), 3000), "damaged"),
    "bomb.png": (bomb_png(20_000, 20_000), "a decompression bomb"),
    "large.png": (bomb_png(20_000, 10_001), "20000 x 10001 pixels, more than 200,000,000"),
    "no-pixels.png": (bomb_png(0, 40), "0 x 40 pixels: there are none"),
    "pdf.png": (b"%PDF-1.7\n1 0 obj\n", "not an image of a supported format"),
    "postscript.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image of a supported format"),
    "svg.png": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not an image of a supported format"),
    "float.tif": (float_tiff(), "not grey levels of 8 or 16 bits"),
    "truncated.gif": (b"GIF89a\x28\x00\x28\x00\x80\x00\x00", "damaged"),
    "truncated.webp": (b"RIFF\xff\xff\x00\x00WEBPVP8 ", "damaged"),
}


def make_bad_folder(folder: Path) -> dict[str, str]:
    """Make `folder` with two good pictures, the bad files above and those that a file system adds: name -> reason."""
    folder.mkdir()
    (folder / "good-1.png").write_bytes(png(colour="red"))
    (folder / "good-2.png").write_bytes(png((300, 20), "RGBA", (0, 0, 255, 128)))
    for name, (content, _) in BAD_FILES.items():
        (folder / name).write_bytes(content)
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(png())
    (folder / "out-of-the-tree.png").symlink_to(outside / "secret.png")
    (folder / "broken-link.png").symlink_to("nowhere.png")
    (folder / "round-and-round.png").symlink_to("round-and-round.png")
    (folder / "other-folder").symlink_to(outside)
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (folder / "notes.txt").write_text("not a picture, and not called one")
    (folder / ".hidden.png").write_bytes(b"")
    return {name: words for name, (_, words) in BAD_FILES.items()} | {
        "out-of-the-tree.png": "a link that leads out of the folder",
        "broken-link.png": "a broken link",
        "round-and-round.png": "a broken link",
        "other-folder": "a link that leads out of the folder",
        "pipe.png": "not a regular file",
    }
