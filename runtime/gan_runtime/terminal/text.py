"""Text that is safe to print, and messages on stderr. Imports neither typer nor rich."""

import json
import sys
from typing import Any

BIDIRECTIONAL = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
SEPARATORS = (0x2028, 0x2029)  # of lines and paragraphs
CONTROLS = {code: "?" for code in (*range(32), *range(127, 160), *BIDIRECTIONAL, *SEPARATORS) if code != ord("\n")}


def plain(text: str) -> str:
    """Replace the characters in `text` that could control a terminal. File names may contain any character."""
    return text.translate(CONTROLS)


def plain_json(document: Any, indent: int | None = None) -> str:
    """Serialise `document` as JSON and escape characters that are invisible or could control a terminal."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return "".join(
        character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1] for character in text
    )


def note(message: str) -> None:
    """Print a message on stderr."""
    if sys.stderr is not None:
        print(plain(message), file=sys.stderr, flush=True)  # noqa: T201
