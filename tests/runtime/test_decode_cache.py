"""What is kept of decoded pictures answers for the folder as it is now, and is never trusted blindly."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from bad_pictures import png

from gan_runtime.data import PictureOptions, cache
from gan_runtime.data import decoded as module
from gan_runtime.data.decoded import Decoded, decoded
from gan_runtime.data.listing import Listing, open_pictures
from gan_runtime.errors import DataError, InputError, OutputError

GREY = PictureOptions(size=32, mode="L", skip_bad=True)
CACHE = Path("cache/gan-edge")


def fill(folder: str, *colours: object) -> Path:
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    for i, colour in enumerate(colours):
        (path / f"{i}.png").write_bytes(png(mode="L", colour=colour))
    return path


@pytest.fixture(autouse=True)
def _fast_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are settled at once."""
    monkeypatch.setattr("gan_runtime.data.entries.TICK", -(10**12))


def read(folder: Path, options: PictureOptions = GREY) -> Decoded:
    return decoded(folder, options, quiet=True)


def entry() -> Path:
    (found,) = (CACHE / "decoded").iterdir()
    return found


def marks() -> list[Path]:
    """Files in entries that name what the entry was compared with."""
    return [path for path in CACHE.glob("decoded/*/*") if path.name not in (cache.IMAGES, cache.ABOUT)]


def greys(found: Decoded) -> list[int]:
    return found.images[:, 0, 0, 0].tolist()


def test_ignored_files_are_those_of_this_folder_now() -> None:
    one, same = fill("one", 10, 20), fill("same", 10, 20)
    (one / "a.txt").touch()
    assert (read(one).ignored, read(same).ignored) == (1, 0)
    (same / "b").touch()
    (same / "c").touch()
    assert (read(one).ignored, read(same).ignored) == (1, 2)
    (one / "a.txt").unlink()
    assert read(one).ignored == 0
    assert len(list((CACHE / "decoded").iterdir())) == 1


def test_bad_files_are_those_of_this_folder_now() -> None:
    folder = fill("d", 10, 20)
    (folder / "gone.heic").touch()
    (folder / "link.png").symlink_to("nowhere")
    assert [bad.name for bad in read(folder).bad] == ["gone.heic", "link.png"]
    (folder / "gone.heic").unlink()
    (folder / "link.png").unlink()
    (folder / "new.jxl").touch()
    found = read(folder)
    assert [(bad.name, bad.reason[:3]) for bad in found.bad] == [("new.jxl", "JXL")]
    assert greys(found) == [10, 20]


def test_a_picture_that_is_mended_counts_again() -> None:
    folder = fill("d", 10, 20)
    (folder / "0.png").write_bytes(b"")
    assert [bad.name for bad in read(folder).bad] == ["0.png"]
    assert [bad.name for bad in read(folder).bad] == ["0.png"]  # from the cache
    (folder / "0.png").write_bytes(png(mode="L", colour=30))
    assert (greys(read(folder)), read(folder).bad) == ([30, 20], ())


@pytest.mark.parametrize("damage", [b"", b"\n", bytes(64), b"0" * 63, b"<html>"])
def test_damaged_marks_of_entries_serve_no_other_pictures(damage: bytes) -> None:
    black, white = fill("black", 0), fill("white", 255)
    for folder in (black, white):
        read(folder)
    for path in marks():
        path.write_bytes(damage)
    assert (greys(read(black)), greys(read(white))) == ([0], [255])
    assert len(marks()) == 2


@pytest.mark.parametrize("damage", ["zeroed", "emptied", "one bit", "longer", "of others", "emptied about", "about 0"])
def test_damaged_pixels_are_made_anew(damage: str) -> None:
    folder = fill("d", 10, 20)
    expected = read(folder)
    images, about = entry() / "images.u8", entry() / "about.json"
    content = images.read_bytes()
    match damage:
        case "zeroed":
            images.write_bytes(bytes(len(content)))
        case "emptied":
            images.write_bytes(b"")
        case "one bit":
            images.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "longer":
            images.write_bytes(content + b"x")
        case "of others":
            images.write_bytes(content[::-1])
        case "emptied about":
            about.write_bytes(b"")
        case "about 0":
            about.write_bytes(bytes(about.stat().st_size))
    again = read(folder)
    assert (greys(again), again.digest) == ([10, 20], expected.digest)
    assert images.read_bytes() == content


def test_the_digest_of_the_data_is_what_runs_remember() -> None:
    """Of version 1.0's formula: sha256 of [2, shape] and pixels and [classes, labels]."""
    import hashlib

    found = read(fill("d", 10, 20))
    expected = hashlib.sha256(b"[2, 2, 32, 32, 1]" + found.images.tobytes() + b"[[], [0, 0]]").hexdigest()
    assert found.digest == expected


def test_labels_come_from_the_folders_of_now() -> None:
    folder = Path("d")
    fill("d/ape", 10)
    fill("d/bee", 20)
    options = PictureOptions(size=32, mode="L", labels="folders")
    assert read(folder, options).classes == ("ape", "bee")
    assert read(folder).classes == ()
    assert len(list((CACHE / "decoded").iterdir())) == 1  # the same pixels
    (folder / "bee").rename(folder / "cat")
    assert read(folder, options).classes == ("ape", "cat")


def test_a_file_that_was_written_a_moment_ago_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may change within the same tick of the clock: same size, same times, other pixels."""
    monkeypatch.setattr("gan_runtime.data.entries.TICK", 3 * 10**9)
    folder = Path("d")
    folder.mkdir()
    picture = folder / "0.png"
    picture.write_bytes(png(mode="L", colour=10))
    assert greys(read(folder)) == [10]
    assert not marks()
    archive = Path("a.zip")
    with zipfile.ZipFile(archive, "w") as file:
        file.write(picture)
    assert greys(read(archive)) == [10]
    assert not marks()


def test_a_disk_that_fails_once_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill("d", 10, 20)
    real = Path.open

    def failing(path: Path, *arguments: object, **options: object) -> object:
        if path.name == "1.png":
            raise OSError(errno.EIO, "Input/output error")
        return real(path, *arguments, **options)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "open", failing)
        found = read(folder)
        assert [(bad.name, bad.reason) for bad in found.bad] == [("1.png", "cannot be read: Input/output error")]
        assert greys(found) == [10]
    assert (greys(read(folder)), read(folder).bad) == ([10, 20], ())


def test_a_lack_of_memory_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill("d", 10, 20)

    def starved(*_: object) -> object:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr("gan_runtime.images.decoding.open_picture", starved)
        assert {bad.reason for bad in read(folder).bad} == {"needs more memory than there is"}
    assert greys(read(folder)) == [10, 20]


def test_pictures_that_change_while_they_are_read_are_not_kept_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill("d", 10)
    real = module.content_of

    def changing(listing: Listing, quiet: bool) -> str:
        content = real(listing, quiet)
        (folder / "0.png").write_bytes(png(mode="L", colour=99))
        return content

    with monkeypatch.context() as patched:
        patched.setattr(module, "content_of", changing)
        with pytest.raises(DataError, match="d: its pictures changed while they were read; try again"):
            read(folder)
    assert greys(read(folder)) == [99]
    assert greys(read(fill("other", 10))) == [10]


def test_other_codecs_decode_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill("d", 10)
    read(folder)
    monkeypatch.setattr("PIL.features.version", lambda name: f"another {name}")
    read(folder)
    assert len(list((CACHE / "decoded").iterdir())) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_cache_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    folder = fill("d", 10, 20)
    read(folder)
    os.chmod(CACHE / "decoded", 0o555)  # noqa: PTH101
    try:
        assert isinstance(decoded(folder, GREY).images, np.memmap)
        assert capsys.readouterr().err == ""
    finally:
        os.chmod(CACHE / "decoded", 0o755)  # noqa: PTH101


def test_a_cache_that_takes_nothing_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, other = fill("d", 10, 20), fill("other", 30)
    assert isinstance(read(folder).images, np.memmap)
    monkeypatch.setattr(module, "obstacle", lambda cache: "Read-only file system")
    assert isinstance(decoded(folder, GREY).images, np.memmap)
    assert "cannot be used" not in capsys.readouterr().err
    assert greys(decoded(other, GREY)) == [30]
    assert "cannot be used (Read-only file system); pictures are decoded into memory" in capsys.readouterr().err


def test_two_processes_at_once_on_a_damaged_entry() -> None:
    folder = fill("d", *range(40))
    read(folder)
    (entry() / "images.u8").write_bytes(b"")
    code = (
        "from pathlib import Path; from gan_runtime.data import PictureOptions;"
        "from gan_runtime.data.decoded import decoded; import json;"
        "print(decoded(Path('d'), PictureOptions(32, 'L'), True).images[:, 0, 0, 0].tolist())"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
    for process in processes:
        out, _ = process.communicate(timeout=60)
        assert sorted(json.loads(out)) == list(range(40))
    assert sorted(greys(read(folder))) == list(range(40))
    assert not list((CACHE / "decoded").glob(".new-*"))


MB = 10**6
LARGE = PictureOptions(size=256, mode="RGB")  # 0.2 MB per picture


def kept(*folders: Path) -> list[Path]:
    """Those of these folders whose pictures are in the cache; asking is no use of them."""
    return [folder for folder in folders if [*CACHE.glob(f"decoded/*/{mark_of(folder)}")]]


def mark_of(folder: Path) -> str:
    with open_pictures(folder) as listing:
        return module._key(listing.stamp, LARGE, module.PICTURE)


def use(folder: Path) -> Decoded:
    found = decoded(folder, LARGE, quiet=True)
    time.sleep(0.01)  # the order of uses has to show in the times of the file system
    return found


def test_the_least_recently_used_pictures_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_EDGE_CACHE_MB", "2")
    one, two, three = (fill(name, *range(start, start + 4)) for name, start in (("one", 0), ("two", 10), ("three", 20)))
    for folder in (one, two, one, three):  # 0.8 MB each
        use(folder)
    assert kept(one, two, three) == [one, three]
    assert sum(path.stat().st_size for path in CACHE.rglob(cache.IMAGES)) <= 2 * MB
    use(fill("huge", *range(30, 45)))  # more than the limit by itself
    assert kept(one, two, three, Path("huge")) == [Path("huge")]
    use(one)
    assert kept(one, two, three, Path("huge")) == [one]


def test_what_is_in_use_is_not_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_EDGE_CACHE_MB", "0")
    one, two, three = fill("one", 1), fill("two", 2), fill("three", 3)
    code = (
        "import sys; from pathlib import Path; from gan_runtime.data.decoded import decoded;"
        "from gan_runtime.images.options import PictureOptions;"
        "found = decoded(Path('two'), PictureOptions(256, 'RGB'), True); print('ready', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        use(two)  # so that the process finds it
        assert process.stdout.readline() == b"ready\n"
        mine = use(one).images
        use(three)
        assert kept(one, two, three) == [one, two, three]
        np.testing.assert_array_equal(mine, 1)
        process.send_signal(signal.SIGKILL)  # takes its lock with it
        process.wait()
        del mine
        use(fill("four", 4))
        assert kept(one, two, three) == []
    finally:
        process.kill()
        process.communicate()


def test_a_killed_process_leaves_room(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill("d", 10, 20)
    code = (
        "import os; from pathlib import Path; from gan_runtime.data import decoded as module;"
        "from gan_runtime.images.options import PictureOptions;"
        "module.digest_of_images = lambda images: os.kill(os.getpid(), 9);"
        "module.decoded(Path('d'), PictureOptions(32, 'L'), True)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    (draft,) = CACHE.glob("decoded/.new-*")
    assert greys(read(folder)) == [10, 20]
    assert draft.exists()  # it might be of a process that has just begun
    monkeypatch.setattr(cache, "DRAFT_GRACE", 0)
    with cache.new_draft(CACHE / "decoded", (1, 1)) as (live, _):
        assert greys(read(fill("other", 30))) == [30]
        assert (draft.exists(), live.exists()) == (False, True)
    assert not list(CACHE.glob("decoded/.new-*"))


def test_a_full_disk_takes_the_room_of_what_nobody_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = fill("one", 1), fill("two", 2)
    mine = use(one)

    def usage(path: Path) -> object:
        return type("Usage", (), {"free": MB * (2 - 2 * len([*path.glob("[!.]*")]))})()

    monkeypatch.setattr("gan_runtime.data.cache.shutil.disk_usage", usage)
    with pytest.raises(OutputError, match="decoded images need 0 MB, the disk has 0 MB left; set XDG_CACHE_HOME"):
        use(two)
    del mine
    use(two)
    assert kept(one, two) == [two]


@pytest.mark.parametrize("value", ["-1", "much", "1.5", "²"])
def test_a_size_limit_is_a_number(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("GAN_EDGE_CACHE_MB", value)
    with pytest.raises(InputError, match=f"GAN_EDGE_CACHE_MB={value}: must be a size in MB"):
        use(fill("one", 1))
