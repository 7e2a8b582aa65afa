"""List the pictures of a .zip archive."""

import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from gan_runtime.data.entries import (
    Bad,
    Listing,
    in_order,
    is_picture,
    read_limited,
    shallowest,
    stamp_of,
    stat_stamp,
    why_left_out,
    why_not_decodable,
    why_too_large,
)
from gan_runtime.errors import DataError
from gan_runtime.images.options import LABEL_FILE
from gan_runtime.records import record

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # their compression ratio is at most 1032
OTHER_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
UTF8_FLAG, ENCRYPTED_FLAG = 0x800, 1
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)
WIDE = ("CJK ", "HIRAGANA ", "KATAKANA", "IDEOGRAPHIC ", "FULLWIDTH ")
ENCODINGS = {  # of names without the UTF-8 flag, and prefixes of the Unicode names of their letters
    "utf-8": ("",),  # macOS, Info-ZIP
    "cp932": WIDE,  # Windows in Japan
    "gb2312": WIDE,  # Windows in China
    "cp437": ("LATIN ",),  # the specification
    "cp850": ("LATIN ",),  # Windows in western Europe
    "cp866": ("CYRILLIC ",),  # Windows in Russia
}


def list_archive(path: Path, archive: zipfile.ZipFile) -> Listing:
    """List the pictures of an open archive. Raises DataError if it is a zip bomb."""
    infos = archive.infolist()
    _refuse_overlaps(path, infos)
    entries: dict[str, zipfile.ZipInfo] = {}
    bad: list[Bad] = []
    label_files: list[str] = []
    folders: set[PurePosixPath] = set()
    left_out: dict[PurePosixPath, str] = {}
    ignored = 0
    for info, written in zip(infos, _names(infos), strict=True):
        inner = PurePosixPath(written)
        if around := _outermost_left_out(inner):
            left_out[around] = why_left_out(around.name)
            continue
        folders.update(inner.parents)
        if written.endswith("/"):
            folders.add(inner)
            continue
        name = str(inner)
        reason = _why_not_usable(info, written) or ("occurs twice in the archive" if name in entries else "")
        if inner.name == LABEL_FILE and not reason:
            label_files.append(name)
            entries[name] = info
        elif not is_picture(name):
            ignored += 1
        elif reason:
            bad.append(Bad(name, reason))
        else:
            entries[name] = info

    return Listing(
        path=path,
        names=tuple(sorted(name for name in entries if is_picture(name))),
        bad=in_order(bad),
        folders=frozenset(map(str, folders - {PurePosixPath()})),
        ignored=ignored,
        left_out=dict(sorted(Counter(left_out.values()).items())),
        label_file=shallowest(label_files),
        stamp=stamp_of(path.resolve(), {"": stat_stamp(path)}),
        read=_Members(path, archive, entries),
    )


@record(frozen=True)
class _Members:
    """Reads the members of an open archive by name. It is pickled as the path of the archive, which is opened again."""

    path: Path
    archive: zipfile.ZipFile
    entries: dict[str, zipfile.ZipInfo]

    def __call__(self, name: str) -> bytes:
        try:
            with self.archive.open(self.entries[name]) as file:
                return read_limited(file)
        except DAMAGE as error:
            raise DataError(f"damaged in the archive: {error or 'it ends too early'}") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened_again, (self.path.absolute(),)


@lru_cache(maxsize=2)  # a job reads pictures, and perhaps their truths
def _opened_again(path: Path) -> Any:
    return list_archive(path, zipfile.ZipFile(path)).read


def _outermost_left_out(path: PurePosixPath) -> PurePosixPath | None:
    """`path` or the outermost folder around it that is left out; None if there is none."""
    return next((part for part in (*reversed(path.parents), path) if why_left_out(part.name)), None)


def _why_not_usable(info: zipfile.ZipInfo, name: str) -> str:
    """Why a member of an archive is not read, or ""."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or parts[0].endswith(":") or "\0" in name:
        return "its name points out of the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link"
    if info.flag_bits & ENCRYPTED_FLAG:
        return "encrypted; create the archive without a password"
    if info.compress_type not in METHODS:
        method = OTHER_METHODS.get(info.compress_type, "unknown")
        return f"compressed by method {info.compress_type} ({method}); only deflate is read"
    return why_too_large(info.file_size) or why_not_decodable(name)


def _refuse_overlaps(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Refuse members that overlap, by which a small archive expands to petabytes (Fifield 2019)."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    for one, following in pairwise(ordered):
        if one.header_offset + 30 + one.compress_size > following.header_offset:
            raise DataError(f"{path}: a zip bomb: {one.filename!a} and {following.filename!a} overlap; do not use it")


def _names(infos: list[zipfile.ZipInfo]) -> list[str]:
    """The names of the members with "/" between folders; some Windows programs write backslashes.

    zipfile decodes names without the UTF-8 flag as cp437, which is reversible. One encoding is chosen for all of them.
    """
    written = [_flagged_name(info) or info.orig_filename.encode("cp437") for info in infos]
    encoding = _encoding([name for name in written if isinstance(name, bytes) and not name.isascii()])
    names = (name if isinstance(name, str) else name.decode(encoding) for name in written)
    return [name.replace("\\", "/") for name in names]


def _flagged_name(info: zipfile.ZipInfo) -> str:
    """The name of a member declared as UTF-8, by the flag or by Info-ZIP's extra field 0x7075; else ""."""
    if info.flag_bits & UTF8_FLAG:
        return info.orig_filename
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == 0x7075 and field[:5] == b"\1" + zlib.crc32(info.orig_filename.encode("cp437")).to_bytes(4, "little"):
            with suppress(UnicodeDecodeError):
                return field[5:].decode()
    return ""


def _encoding(names: list[bytes]) -> str:
    return next((encoding for encoding in ENCODINGS if _fits(names, encoding)), "cp437")


def _fits(names: list[bytes], encoding: str) -> bool:
    """Whether an encoding is plausible for names.

    An accented letter with the letter after it may decode to a Japanese letter, and alone to a Russian one. For these
    encodings the majority of letters must not be Latin.
    """
    try:
        decoded = [name.decode(encoding).replace("\\", "/").rpartition(".") for name in names]
    except UnicodeDecodeError:
        return False
    parts = {part for stem, _, suffix in decoded for part in (*stem.split("/"), suffix) if not part.isascii()}
    letters = [letter for part in parts for letter in part]
    others = [letter for letter in letters if not letter.isascii()]
    if not all(unicodedata.name(letter, "").startswith(ENCODINGS[encoding]) for letter in set(others)):
        return False
    latin = sum(letter.isascii() and letter.isalpha() for letter in letters)
    return ENCODINGS[encoding] in (("",), ("LATIN ",)) or sum(map(str.isalpha, others)) >= latin
