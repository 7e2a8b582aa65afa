"""Pickles that would run code, fill the memory or overflow the stack: refused by name, with nothing run."""

import os
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import Result
from pickled import Built, Call, Raw, code, name_code, pickled
from style_networks import authors, number, snapshot, storage, style_weights, tensor

from gan_runtime.errors import InputError
from gan_trainer.convert.checkpoint import read_checkpoint

MARKER = Path("executed")
TOUCH = "touch executed"
WRITE = "open('executed', 'w').close()"
SMALL = style_weights(authors(8, 3, 4, 8, 1))
WHOLE = pickled(snapshot(SMALL))
HOOKS = Call("collections.OrderedDict")
DEEP = 2 * 10**5  # tuples within each other that overflow the stack where Python hashes them
MEMORY = 2**24  # bytes that a small file may take


@pytest.fixture(autouse=True)
def nothing_runs() -> Iterator[None]:
    yield
    assert not MARKER.exists()


def refused(content: bytes, path: str = "network.pkl") -> str:
    """Why a file is refused, in one line."""
    Path(path).write_bytes(content)
    with pytest.raises(InputError) as error:
        read_checkpoint(Path(path))
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert len(text) < 400
    return text


def within(value: Any) -> dict[str, Any]:
    """A snapshot with `value` in place of one of its settings."""
    return snapshot(SMALL, conv_clamp=value)


COMMANDS = {  # by the name that a message has: calls that Python's own reader would carry out
    "os.system": Call("os.system", (TOUCH,)),
    "posix.system": Call("posix.system", (TOUCH,)),
    "subprocess.check_output": Call("subprocess.check_output", (["touch", "executed"],)),
    "subprocess.Popen": Call("subprocess.Popen", (["touch", "executed"],), new=True),
    "builtins.eval": Call("builtins.eval", (WRITE,)),
    "builtins.exec": Call("builtins.exec", (WRITE,)),
    "builtins.open": Call("builtins.open", ("executed", "w")),
    "builtins.getattr": Call("builtins.getattr", (Raw(name_code("os.path")), "join")),
    "os.path": Call("builtins.list", ()) and Raw(name_code("os.path")),
    "builtins.__import__": Call("builtins.__import__", ("os",)),
    "builtins.set.__class__": Call("builtins.set.__class__", ()),
    "operator.attrgetter": Call("operator.attrgetter", ("system",)),
    "functools.partial": Call("functools.partial", (Raw(name_code("os.system")), TOUCH)),
    "runpy._run_code": Call("runpy._run_code", (WRITE, {})),
    "importlib.import_module": Call("importlib.import_module", ("os",)),
    "numpy.load": Call("numpy.load", ("network.pkl",)),
    "numpy.testing._private.utils.runstring": Call("numpy.testing._private.utils.runstring", (WRITE, {})),
    "numpy.f2py.crackfortran.getlincoef": Call("numpy.f2py.crackfortran.getlincoef", (WRITE, {})),
    "numpy.core.multiarray.fromfile": Call("numpy.core.multiarray.fromfile", ("network.pkl",)),
    "torch.load": Call("torch.load", ("network.pkl",)),
    "torch.hub.load": Call("torch.hub.load", ("a/b", "c")),
    "torch._utils._rebuild_device_tensor_from_numpy": Call("torch._utils._rebuild_device_tensor_from_numpy", ()),
    "torch.utils.cpp_extension.load": Call("torch.utils.cpp_extension.load", ("a", "b")),
    "torch_utils.persistence._src_to_module": Call("torch_utils.persistence._src_to_module", (WRITE,)),
    "copyreg.add_extension": Call("copyreg.add_extension", ("os", "system", 1)),
    "copyreg._reconstructor": Call("copyreg._reconstructor", ()),
    "dnnlib.util.construct_class_by_name": Call("dnnlib.util.construct_class_by_name", ()),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("place", [lambda call: call, within, lambda call: {"G_ema": call}, lambda call: {"a": [call]}])
@pytest.mark.parametrize("name", COMMANDS)
def test_other_names_are_refused_by_name(name: str, place: Callable[[Any], Any], protocol: int) -> None:
    assert f"asks for {name.partition('.')[0]}" in refused(pickled(place(COMMANDS[name]), protocol))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_refusal_names_what_is_asked_for_first(name: str) -> None:
    first = "os.system" if name == "functools.partial" else "os.path" if name == "builtins.getattr" else name
    found = refused(pickled(COMMANDS[name]))
    assert f"asks for {name}" in found or f"asks for {first}" in found


def test_the_commands_do_run_in_pythons_own_reader() -> None:
    """Otherwise the tests above would prove nothing."""
    for name in ("os.system", "posix.system", "builtins.eval", "subprocess.check_output", "builtins.exec"):
        for protocol in (2, 4):
            pickle.loads(pickled([COMMANDS[name]], protocol))
            MARKER.unlink()


def test_the_source_in_a_snapshot_is_not_run() -> None:
    assert WRITE.encode() in WHOLE
    Path("network.pkl").write_bytes(WHOLE)
    (part,) = read_checkpoint(Path("network.pkl")).parts
    assert part.weights.keys() == SMALL.keys()


INSTRUCTIONS = {
    "EXT1": b"\x82\x01",
    "EXT2": b"\x83\x01\x00",
    "EXT4": b"\x84\x01\x00\x00\x00",
    "PERSID": b"Pname\n",
    "BINPERSID": code("name") + b"Q",
    "INST": b"(" + code("touch executed") + b"ios\nsystem\n",
    "OBJ": b"(" + name_code("collections.OrderedDict", 2) + b"o",
    "NEWOBJ_EX": name_code("dnnlib.util.EasyDict") + b")}\x92",
    "DUP": b"N2",
    "STRING": b"S'a'\n",
    "LONG4": b"\x8b\xff\xff\xff\x7f",
    "LONG": b"L99L\n",
    "POP": b"N0",
    "FROZENSET": b"(N\x91",
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 2**40),
    "NEXT_BUFFER": b"\x97",
}


DAMAGED = "LONG4", "BYTEARRAY8"  # their values are not there


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_instructions_that_values_do_not_need_are_refused_by_name(name: str) -> None:
    text = refused(b"\x80\x04" + INSTRUCTIONS[name] + b".")
    assert f"has the instruction {name}" in text or (name in DAMAGED and "damaged" in text)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Built(Call("collections.OrderedDict"), {"__setstate__": 1}), "sets the state of an object that has none"),
        (Built(Call("dnnlib.util.EasyDict", new=True), (None, {"__class__": 1})), "sets the state"),
        (Built({}, {"__setstate__": Raw(name_code("builtins.set"))}), "sets the state"),
        (Built(Built(number(1.0), {}), TOUCH), "sets the state"),
        (Raw(code("os.system") + code((TOUCH,)) + b"R"), "calls what is no name"),
        (Raw(code(HOOKS) + b")R"), "calls what is no name"),
        (Raw(name_code("collections.OrderedDict") + code([]) + b"R"), "calls what is no name"),
        (Call("collections.OrderedDict", ([("a", 1)],)), "damaged"),
        (Call("builtins.set", ("abc",)), "damaged"),
        (Call("numpy.dtype", ("O8", False, True)), "damaged: a number of numpy of an unknown type"),
        (Call("numpy.dtype", ([("a", "O")],)), "damaged: a number of numpy of an unknown type"),
        (Call("numpy.dtype", ("V" + "9" * 15,)), "damaged: a number of numpy of an unknown type"),
        (Call("numpy._core.multiarray.scalar", (Call("numpy.dtype", ("f8",)), b"1234")), "damaged: a number"),
        (Call("numpy._core.multiarray.scalar", (Raw(name_code("numpy.ndarray")), b"12345678")), "damaged"),
        (Call("numpy._core.multiarray.scalar", (Call("numpy.ndarray"), b"12345678")), "damaged"),
        (Call("torch_utils.persistence._reconstruct_persistent_obj", (WRITE,)), "damaged: a str in place of a dict"),
        (Call("torch_utils.persistence._reconstruct_persistent_obj", ({"state": {}},)), "damaged: 'class_name'"),
        (Call("torch_utils.persistence._reconstruct_persistent_obj"), "damaged"),
        (Raw(code("os") + code(3) + b"\x93"), "damaged: a name is no text"),
        (Raw(b"cos\nsystem\x1b[2J" + b"\n"), r"asks for os.system\x1b[2J"),
        (Raw(name_code("os\n.system")), r"asks for os\n.system"),
        (Raw(name_code("os." + "s" * 10**5)), "asks for os.sss"),
        (Raw(b"c" + b"a" * 10**5 + b"\nb\n"), "damaged"),
    ],
)
def test_calls_and_states_of_known_names_are_only_what_snapshots_have(value: Any, reason: str) -> None:
    assert reason in refused(pickled({"G_ema": value}))


def nested(content: bytes) -> dict[str, Any]:
    """A snapshot, one of whose storages has this content."""
    about = Call("torch.storage._load_from_bytes", (content,)), 0, (2,), (1,), False, HOOKS
    generator = snapshot(SMALL)["G_ema"]
    generator.arguments[0]["state"]["_buffers"].items["w"] = Call("torch._utils._rebuild_tensor_v2", about)
    return {"G_ema": generator}


def stored(*documents: Any, data: bytes = b"", numel: int = 2) -> bytes:
    """What torch.save writes of a storage; `documents` in place of its description."""
    about = ("storage", Raw(name_code("torch.FloatStorage", 2)), "0", "cpu", numel, None)
    description = Raw(code(about, 2) + b"Q")
    sizes = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
    parts = [pickled(part, 2) for part in (1001, sizes, *(documents or (description, ["0"])))]
    return magic + b"".join(parts) + struct.pack("<q", numel) + (data or bytes(4 * numel))


def test_the_storage_of_these_tests_is_one() -> None:
    content = stored(data=struct.pack("<2f", 1, 2))
    Path("network.pkl").write_bytes(pickled(nested(content)))
    (part,) = read_checkpoint(Path("network.pkl")).parts
    assert part.weights["w"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "content",
    [
        stored(Call("os.system", (TOUCH,)), ["0"]),
        stored(Call("builtins.eval", (WRITE,)), ["0"]),
        stored(Call("torch.storage._load_from_bytes", (stored(Call("os.system", (TOUCH,)), []),)), ["0"]),
        stored(numel=2**40, data=b"1234"),
        stored(numel=-1, data=b"1234"),
        stored(Raw(b"}N" + b"\x85" * DEEP + b"Ns"), ["0"]),
        stored(Raw(code(("storage", Raw(name_code("os.system", 2)), "0", "cpu", 2, None), 2) + b"Q"), ["0"]),
        stored(Raw(code(("storage", 3, "0", "cpu", 2, None), 2) + b"Q"), ["0"]),
        stored(Raw(code(("storage", Raw(name_code("torch.FloatStorage", 2)), "0", "cpu", 2, ()), 2) + b"Q"), ["0"]),
        stored(Raw(name_code("torch.FloatStorage", 2) + b")R"), ["0"]),
        stored(3, ["0"]),
        stored() + b"more",
        stored()[:-1],
        stored()[:40],
        b"",
        b"\x80\x04.",
        pickled(Call("os.system", (TOUCH,)), 2),
        pickle.dumps(torch.FloatStorage),
        WHOLE,
    ],
)
def test_hostile_storages_are_refused(content: bytes) -> None:
    text = refused(pickled(nested(content)))
    assert "damaged" in text or "asks for " in text or "has the instruction" in text


def test_a_storage_that_is_an_archive_is_refused() -> None:
    torch.save(torch.ones(2), "inner")
    assert "damaged" in refused(pickled(nested(Path("inner").read_bytes())))


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_floats_of_other_sizes_are_read(kind: torch.dtype) -> None:
    generator = snapshot(SMALL)["G_ema"]
    generator.arguments[0]["state"]["_buffers"].items["w"] = tensor(torch.tensor([1.5, -2.0], dtype=kind))
    Path("network.pkl").write_bytes(pickled({"G_ema": generator}))
    (part,) = read_checkpoint(Path("network.pkl")).parts
    assert part.weights["w"].tolist() == [1.5, -2]


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (3,), (1,)),
        (1, (2,), (1,)),
        (-1, (2,), (1,)),
        (0, (2**40, 2**40), (0, 0)),
        (0, (1, 2), (1,)),
        (0, (2,), (2**62,)),
        (0, (-1,), (1,)),
        (0, (0,), (1,)),
        (0, (True,), (1,)),
        (0, ("2",), (1,)),
        (0, (1.0,), (1,)),
        (0, (2**62,) * 10**4, (1,) * 10**4),
        (0, (2, 1), (1,)),
        (2**63, (2,), (1,)),
    ],
)
def test_tensors_beyond_their_storage_are_refused(offset: int, size: tuple[Any, ...], stride: tuple[int, ...]) -> None:
    found = Call("torch._utils._rebuild_tensor_v2", (storage(torch.ones(2)), offset, size, stride, False, HOOKS))
    generator = snapshot(SMALL)["G_ema"]
    generator.arguments[0]["state"]["_buffers"].items["w"] = found
    assert "damaged" in refused(pickled({"G_ema": generator}))


BOMBS = {
    "bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"ab",
    "more bytes than an address has": b"\x80\x04\x8e" + b"\xff" * 8,
    "text that is not there": b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"ab",
    "a frame that is not there": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N",
    "a far place in the memo": b"\x80\x04Nr" + b"\xff" * 4 + b".",
    "too many dictionaries": b"\x80\x04(" + b"}" * 2**16 + b"t.",
    "too many marks": b"\x80\x04" + b"(" * 2**16 + b".",
    "doubled lists": b"\x80\x04]\x94" + b"".join(b"](h%ch%ce\x94" % (i, i) for i in range(60)) + b".",
    "nothing to stop": b"\x80\x04N",
    "an empty stack": b"\x80\x04R.",
    "nothing at all": b"\x80\x04.",
    "no mark": b"\x80\x04e.",
    "an unknown place in the memo": b"\x80\x04h\x07.",
    "an unknown instruction": b"\x80\x04\xff.",
    "text that is no UTF-8": b"\x80\x04\x8c\x02\xff\xfe.",
    "odd items": b"\x80\x04}(NNNu.",
    "items of a list": b"\x80\x04](NNu.",
    "values of a dictionary": b"\x80\x04}(NNe.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_bounded_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_trainer.convert.pickles.MOST", 2**14)
    tracemalloc.start()
    try:
        text = refused(BOMBS[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert any(reason in text for reason in ("damaged", "more than 16,384 instructions", "without networks"))
    assert peak < MEMORY


@pytest.mark.parametrize(
    "content",
    [
        b"](" * DEEP + b"N" + b"e" * DEEP,
        b"N" + b"\x85" * DEEP,
        b"}N" + b"\x85" * DEEP + b"Ns",
        b"N" + b"\x85" * DEEP + name_code("collections.OrderedDict") + b")R",
    ],
)
def test_depth_does_not_overflow_the_stack(content: bytes) -> None:
    assert refused(b"\x80\x04" + content + b".")


def modules(inner: Any, **changes: Any) -> Call:
    state = {"_parameters": HOOKS, "_buffers": HOOKS, "_modules": inner} | changes
    return Call("torch_utils.persistence._reconstruct_persistent_obj", ({"class_name": "Generator", "state": state},))


def test_modules_within_each_other_are_bounded() -> None:
    generator: Any = modules({})
    for _ in range(12):
        generator = modules({"a": generator})
    assert "too many modules" in refused(pickled({"G_ema": generator}))
    doubled: Any = modules({})
    for _ in range(14):  # 2^14 modules in all
        place = Raw(b"j\x00\x00\x00\x00")
        doubled = modules(Raw(b"}(" + code("a") + code(doubled) + b"q\x00" + code("b") + code(place) + b"u"))
    assert "too many modules" in refused(pickled({"G_ema": doubled}))


def test_a_module_within_itself_is_refused() -> None:
    inner = Raw(b"}\x94(" + code("a") + code(modules(Raw(b"h\x00"))) + b"u")
    assert "too many modules" in refused(pickled({"G_ema": modules(inner)}))


@pytest.mark.parametrize(
    "generator",
    [
        modules({"a": 3}),
        modules(None),
        modules([]),
        modules({}, _parameters=None),
        modules({}, _buffers={"a": 3}),
        modules({}, _buffers={"a": b"abc"}),
        modules({}, _buffers={"a": Call("torch._utils._rebuild_parameter", (3, False, HOOKS))}),
        modules({}, _buffers={"a\n": tensor(torch.ones(2))}),
        modules({}, _buffers={"a" * 300: tensor(torch.ones(2))}),
        modules({}, _buffers={3: tensor(torch.ones(2))}),
        modules({3: modules({})}),
    ],
)
def test_modules_of_something_else_are_refused(generator: Any) -> None:
    assert refused(pickled({"G_ema": generator}))


def test_one_storage_many_times_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_trainer.convert.checkpoint.LARGEST", 2**20)
    large = Raw(code(storage(torch.ones(2**16))) + b"\x94")
    again = Raw(b"h\x00")
    buffers = {
        f"a{i}": Call("torch._utils._rebuild_tensor_v2", (again if i else large, 0, (2,), (1,), False, HOOKS))
        for i in range(9)
    }
    assert "its tensors would take more than 1,048,576 bytes" in refused(
        pickled({"G_ema": modules({}, _buffers=buffers)})
    )


def test_truncated_and_changed_snapshots_are_refused_or_read() -> None:
    for length in {*range(0, len(WHOLE), len(WHOLE) // 31), *range(len(WHOLE) - 9, len(WHOLE))}:
        refused(WHOLE[:length])
    for place in range(0, len(WHOLE), len(WHOLE) // 61):
        changed = bytearray(WHOLE)
        changed[place] ^= 0x55
        Path("network.pkl").write_bytes(changed)
        try:
            read_checkpoint(Path("network.pkl"))
        except InputError as error:
            assert "\n" not in str(error)


def test_tensorflows_snapshots_are_refused_with_advice() -> None:
    assert "legacy.py" in refused(pickled((Call("dnnlib.tflib.network.Network", new=True),), 3))


def _zip(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b""), "no pickle, but empty"),
        (lambda path: path.write_text("some text"), "no pickle, but a text file"),
        (lambda path: path.write_text("<html>404</html>"), "no pickle, but a web page"),
        (lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "a Git LFS pointer"),
        (lambda path: path.write_bytes(b"\x08\x08\x12\x07pytorch"), "no pickle; only snapshots"),
        (lambda path: path.write_bytes(b"\x1f\x8b\x08\x00"), "a gzip file"),
        (lambda path: path.write_bytes(pickle.dumps([1, 2], 0)), "no pickle"),
        (lambda path: path.write_bytes(pickle.dumps([1, 2], 4)), "a pickle without networks"),
        (lambda path: torch.save([1], path, _use_new_zipfile_serialization=False), "a pickle without networks"),
        (lambda path: torch.save({"a": 1}, path), "has no weights by name"),
        (lambda path: torch.jit.save(torch.jit.script(torch.nn.ReLU()), path), "a TorchScript archive"),
        (lambda path: _zip(path, "a", "b"), "damaged, or more than weights"),
        (os.mkfifo, "not a regular file"),
        (lambda path: path.symlink_to("network.pkl"), "no such file"),
        (lambda path: (path.write_bytes(WHOLE), path.chmod(0)), "cannot be read" if os.getuid() else ""),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_other_files_are_refused(make: Callable[[Path], object], reason: str) -> None:
    make(Path("x.pkl"))
    if reason:
        with pytest.raises(InputError, match=rf"^x\.pkl: .*{reason}") as refused:
            read_checkpoint(Path("x.pkl"))
        assert "\n" not in str(refused.value)


def test_a_file_larger_than_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_trainer.convert.checkpoint.LARGEST", 1000)
    assert "snapshots have at most 1,000" in refused(WHOLE)


def test_gan_export_says_it_in_one_line(call: Callable[..., Result]) -> None:
    Path("exported").mkdir()
    Path("exported/x.onnx").write_bytes(b"older")
    Path("x.pkl").write_bytes(pickled(within(COMMANDS["os.system"])))
    assert call("gan-export", "x.pkl").refused("x.pkl: asks for os.system", "which may run code")
    Path("folder.pkl").mkdir()
    assert call("gan-export", "folder.pkl").refused("folder.pkl")
    assert call("gan-export", "no.pkl").refused("no.pkl: no such file")
    os.mkfifo("pipe.pkl")
    assert call("gan-export", "pipe.pkl").refused("pipe.pkl: not a regular file")
    assert Path("exported/x.onnx").read_bytes() == b"older"
