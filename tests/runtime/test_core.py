"""The deploy core, the modules at the top level of `gan_runtime`, stays small and below all other packages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import gan_runtime

ROOT = Path(gan_runtime.__file__).parent
CORE = sorted(ROOT.glob("*.py"))
MOST_LINES = 3400
BELOW = {"devices", "files", "foreign"}
ROOMS = {path.parent.name for path in ROOT.glob("*/__init__.py")} - BELOW
HEAVY = {"typer", "click", "rich", "PIL", "torch", "onnx"}


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, in functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, path
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_the_core_is_small() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in CORE}
    assert sum(lines.values()) <= MOST_LINES, lines


@pytest.mark.parametrize("path", [path for path in CORE if path != ROOT / "__init__.py"], ids=lambda path: path.stem)
def test_the_core_imports_no_room_above_it(path: Path) -> None:
    for name in imported(path):
        package, _, rest = name.partition(".")
        assert package not in HEAVY, name
        assert package != "gan_runtime" or rest.split(".")[0] not in ROOMS, name


def test_the_rooms_are_all_known() -> None:
    assert {
        "bench", "commands", "data", "datasets", "evaluation", "image_to_image", "images", "laboratory", "outputs",
        "terminal", "transform",
    } == ROOMS  # fmt: skip
