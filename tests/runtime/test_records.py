"""Records behave as frozen dataclasses do."""

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import pytest

from gan_runtime.records import record


@record(frozen=True)
class Place:
    x: int
    y: float = 0.5
    tags: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x")


@record(frozen=True, kw_only=True)
class Named(Place):
    name: str


@dataclass(frozen=True)
class Usual:
    x: int
    y: float = 0.5
    tags: dict[str, int] = field(default_factory=dict, repr=False, compare=False)


def test_they_are_dataclasses() -> None:
    assert [entry.name for entry in fields(Place)] == ["x", "y", "tags"]
    assert asdict(Place(1)) == asdict(Usual(1))
    assert replace(Place(1), x=2) == Place(2)
    with pytest.raises(ValueError, match="x"):
        Place(-1)
    with pytest.raises(TypeError, match="missing 1 required"):
        Named(1)  # type: ignore[call-arg]


def test_usual_dataclasses_inherit_from_them() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Further(Named):
        z: int

    made = Further(x=1, name="n", z=3)
    assert made == Further(x=1, name="n", z=3) != replace(made, z=4)
    assert asdict(made) == {"x": 1, "y": 0.5, "tags": {}, "name": "n", "z": 3}
    with pytest.raises(FrozenInstanceError):
        made.z = 4  # type: ignore[misc]
    with pytest.raises(TypeError, match="non-frozen"):

        @dataclass
        class Changeable(Named):
            pass


def test_they_are_shown_and_compared_by_their_fields() -> None:
    assert repr(Place(1, 2.0, {"a": 1})) == repr(Usual(1, 2.0)).replace("Usual", "Place") == "Place(x=1, y=2.0)"
    assert Place(1, tags={"a": 1}) == Place(1) != Place(2)
    assert hash(Place(1, tags={"a": 1})) == hash(Place(1)) == hash(Usual(1))
    assert Place(1) != Usual(1)
    assert Place(1) != Named(1, name="n") == Named(1, name="n")
    assert {Place(1): "found"}[Place(1, 0.5)] == "found"


@pytest.mark.parametrize("make", [Place, Usual])
def test_nothing_in_them_can_be_changed(make: Any) -> None:
    made = make(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        made.x = 2
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'z'"):
        made.z = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del made.x
    assert made.x == 1


@pytest.mark.parametrize("made", [Place(1, 2.0, {"a": 1}), Named(1, name="n")])
def test_they_can_be_copied_and_pickled(made: Place) -> None:
    assert copy.copy(made) == copy.deepcopy(made) == pickle.loads(pickle.dumps(made)) == made
    assert pickle.loads(pickle.dumps(made)).tags == made.tags


def test_methods_of_its_own_stay() -> None:
    @record(frozen=True)
    class Own:
        x: int

        def __repr__(self) -> str:
            return f"own {self.x}"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own)

        def __hash__(self) -> int:
            return 7

    assert (repr(Own(1)), Own(1) == Own(2), hash(Own(1))) == ("own 1", True, 7)
    with pytest.raises(FrozenInstanceError):
        Own(1).x = 2  # type: ignore[misc]
