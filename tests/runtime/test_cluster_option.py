"""--ray on the command line, without a cluster."""

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Result

from gan_runtime.commands import cluster_option
from gan_runtime.commands.cluster_option import cluster_of
from gan_runtime.errors import DeviceError, InputError
from gan_runtime.outputs.cluster import Cluster
from gan_runtime.terminal.help import with_addresses

Call = Callable[..., Result]
MODULES = object()  # stands for a module that is installed


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_option, "find_spec", lambda name: MODULES)


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (["--ray", "out/"], ["--ray=", "out/"]),
        (["--ray", "out.tar"], ["--ray=", "out.tar"]),
        (["out/", "--ray"], ["out/", "--ray="]),
        (["--ray", "--quiet", "out/"], ["--ray=", "--quiet", "out/"]),
        (["--ray", "10.0.0.1:6379", "out/"], ["--ray", "10.0.0.1:6379", "out/"]),
        (["--ray", "local", "out/"], ["--ray", "local", "out/"]),
        (["--ray=head:6379", "out/"], ["--ray=head:6379", "out/"]),
        (["--n", "3", "x.png"], ["--n", "3", "x.png"]),
    ],
)
def test_the_address_may_be_left_out(words: list[str], read: list[str]) -> None:
    assert with_addresses(words) == read


@pytest.mark.usefixtures("_installed")
def test_a_part_has_one_processor_unless_threads_say_so() -> None:
    assert cluster_of(None, "auto", None, False) is None
    assert cluster_of("", "auto", None, False) == Cluster("", cpus=1, gpus=0)
    assert cluster_of("a:1", "cuda", 4, True) == Cluster("a:1", cpus=4, gpus=1, quiet=True)


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(("address", "device"), [("", "cuda:1"), ("ray://head:10001", "auto")])
def test_what_ray_cannot_do_is_refused(address: str, device: str) -> None:
    with pytest.raises(InputError, match=r"--device cuda:1: Ray chooses|Ray Client is not supported"):
        cluster_of(address, device, None, False)


@pytest.mark.parametrize("command", ["gan-sample", "gan-translate", "gan-upscale"])
def test_without_ray_one_line_says_what_to_install(call: Call, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_option, "find_spec", lambda name: None)
    assert call(command, "photos/", "--ray", "out/").refused("--ray: Ray is not installed", "gan-edge[ray]")
    assert not Path("out").exists()


@pytest.mark.usefixtures("_installed")
def test_one_file_has_no_parts(call: Call, conditional_model: Path) -> None:
    assert call("gan-sample", "--model", conditional_model, "--ray", "x.png").refused("--ray: has an effect only for")


def test_a_cluster_that_does_not_answer_is_refused_soon() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-edge[ray]'")
    with pytest.raises(DeviceError, match=r"--ray 127.0.0.1:1: does not answer .*refused"):
        list(Cluster("127.0.0.1:1").map(list, [1]))
