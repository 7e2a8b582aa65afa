import json
import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from gan_runtime.evaluation.table import markdown, table
from gan_runtime.terminal.text import plain, plain_json

STEERING = "".join(map(chr, (0x1B, 0x7F, 0x85, 0x9B, 0x61C, 0x200E, 0x200F, 0x202E, 0x2028, 0x2066, 0x2069)))
HARMLESS = "Größe 猫 שלום 🙂"


def test_json_reads_back_the_same_and_steers_no_terminal() -> None:
    document = {"name" + STEERING: [f"{HARMLESS}{STEERING}\n\t", "\U000e0041", "\udc80", 1.5, None]}
    for indent in (None, 2):
        text = plain_json(document, indent)
        assert json.loads(text) == document
        assert HARMLESS in text  # readable by people who read it
        assert all(character.isprintable() or character == "\n" for character in text)


def test_text_is_without_what_steers_a_terminal() -> None:
    assert plain(HARMLESS + STEERING) == HARMLESS + "?" * len(STEERING)
    for code in range(0x110000):
        if unicodedata.bidirectional(chr(code)) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}:
            assert plain(chr(code)) == "?", hex(code)


def test_scores_name_sources_without_what_steers_a_terminal() -> None:
    measures = {"n": 2, "fid": 1.0}
    report = {
        "results": {f"a{STEERING}": measures},
        "floors": {},
        "data": {"name": STEERING, "train": 2},
        "features": {"name": STEERING, "sha256": "0" * 64},
        "versions": {"gan-edge": "0", "onnxruntime": "0", "numpy": "0"},
    }
    for text in (table(report), markdown(report)):
        assert not set(STEERING) & set(text)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_terminal_is_not_steered_by_file_names(as_json: bool, conditional_model: Path, tmp_path: Path) -> None:
    name = f"a{STEERING}.npy"
    shown = _on_a_terminal(
        tmp_path, ["-n", "2", "--model", str(conditional_model), "--quiet", name, *(["--json"] if as_json else [])]
    )
    assert (tmp_path / name).exists()
    assert not set(STEERING) & set(shown)
    assert (json.loads(shown)["output"] == name) if as_json else (shown.strip() == plain(name))


def _on_a_terminal(folder: Path, arguments: list[str]) -> str:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from gan_runtime.commands.sample import sample_main; sample_main()", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=theirs, stdin=subprocess.DEVNULL) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
    os.close(ours)
    assert process.returncode == 0
    return shown.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux says that nobody has the other end open
        return b""
