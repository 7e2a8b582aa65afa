"""Compare what exported files give on 64-bit Arm and on this host: images may differ by one grey level, and with
several threads by nothing.

The Arm host is emulated by qemu-user, so that this runs on any Debian host with another processor. Nothing is installed
and no privileges are needed: packages of Debian (qemu-user-static, and Python for arm64) are downloaded by apt-get with
lists of its own and unpacked with dpkg-deb, and wheels for aarch64 are downloaded by pip. gan_runtime runs there as it
is. ONNX Runtime 1.28 and later crash in qemu 7.2, the version of Debian 12; 1.23 works.

    python benchmarks/arm.py --n 4 exported/mnist.onnx

Everything that is downloaded, about 120 MB, stays in --folder for the next time.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fresh_models import compared_files, shown
from interleave import Row, machine, new_parser, publish

ROOT = Path(__file__).resolve().parents[1]
EMULATOR, TARGET = "qemu-user-static", ("python3.11", "libstdc++6")  # Debian's packages for this host, and for arm64
WHEELS = ("numpy", "pillow")
TAGS = ("manylinux2014_aarch64", "manylinux_2_27_aarch64", "manylinux_2_28_aarch64")
THREADS = 3  # beside one
MINUTES = 30  # that the emulated host may take


def main() -> None:
    """Prepare the Arm host, run the files on both, and print the table."""
    options = _options()
    if options.draw:
        draw(options.models, options.n, Path(options.draw))
        return
    folder = Path(options.folder).resolve()
    (folder / "fresh").mkdir(parents=True, exist_ok=True)
    models = list(map(str, compared_files(options.models, folder / "fresh")))
    arm = emulated(folder, options.onnxruntime)
    here, there = folder / "here.npz", folder / "arm.npz"
    run([sys.executable, __file__, *models, "--n", str(options.n), "--draw", str(here)])
    arm.run(__file__, *models, "--n", str(options.n), "--draw", str(there))
    rows, missed = compare(models, here, there)
    about = json.loads(arm.run("-c", ABOUT))
    publish(machine() | about, rows, missed, options)


ABOUT = """
import json, platform, numpy, onnxruntime
versions = {"onnxruntime": onnxruntime.__version__, "numpy": numpy.__version__, "python": platform.python_version()}
print(json.dumps({f"{platform.machine()} {name}": version for name, version in versions.items()}))
"""


def draw(models: list[str], n: int, output: Path) -> None:
    """Write what each file gives for n fixed inputs on this host, by its number; runs on both hosts."""
    import parity

    import gan_runtime

    found = {}
    for number, path in enumerate(models):
        with gan_runtime.load(path, "cpu", threads=1) as opened:
            found[str(number)] = parity.outputs_of(opened, parity.inputs_of(opened, n))
        with gan_runtime.load(path, "cpu", threads=THREADS) as opened:
            again = parity.outputs_of(opened, parity.inputs_of(opened, n))
            found[f"{number} {THREADS} threads"] = np.array((again != found[str(number)]).mean())
        print(f"{platform.machine()}: {path}", file=sys.stderr)
    np.savez(output, **found)


def compare(models: list[str], here: Path, there: Path) -> tuple[list[Row], list[str]]:
    """A row for each file, and those that differ by more than rounding."""
    import parity

    rows: list[Row] = []
    missed: list[str] = []
    with np.load(here) as ours, np.load(there) as theirs:
        for number, path in enumerate(models):
            a, b = ours[str(number)], theirs[str(number)]
            apart = parity.difference(a, b)
            shares = [of[f"{number} {THREADS} threads"] for of in (ours, theirs)]
            name = shown(Path(path))
            values = f"{(a != b).mean():.1e}" if a.shape == b.shape else "all"
            rows.append(
                {
                    "file": name,
                    "outputs": f"{a.dtype} {list(a.shape)}",
                    "differ by": parity.in_words(apart, a),
                    "share of values": values,
                    f"{THREADS} threads": " / ".join(f"{float(share):.1e}" for share in shares),
                }
            )
            if any(shares):
                missed.append(f"{name}: differs with {THREADS} threads")
            if not parity.agrees(apart, a):
                missed.append(f"{name}: differs by {parity.in_words(apart, a)}")
    return rows, missed


@dataclass(frozen=True)
class Emulated:
    """The Arm host: the command of Python there, and its PYTHONPATH."""

    python: tuple[str, ...]
    path: str

    def run(self, *arguments: str) -> str:
        """What Python prints there."""
        return run([*self.python, *arguments], PYTHONPATH=self.path)


def emulated(folder: Path, onnxruntime: str) -> Emulated:
    """The Arm host in a folder, downloaded if it is not there."""
    root, host, site = folder / "root", folder / "host", folder / f"site-{onnxruntime}"
    if not (host / "usr").exists():
        download(folder / "apt-host", (EMULATOR,), None)
        unpack(folder / "apt-host", host)
    if not (root / "usr").exists():
        download(folder / "apt-arm64", TARGET, "arm64")
        unpack(folder / "apt-arm64", root)
    if not site.exists():
        wheels(folder / f"wheels-{onnxruntime}", site, (f"onnxruntime=={onnxruntime}", *WHEELS))
    binaries = host / "usr" / "bin", root / "usr" / "bin"
    python = str(binaries[0] / "qemu-aarch64-static"), "-L", str(root), str(binaries[1] / TARGET[0])
    return Emulated(python, os.pathsep.join(map(str, (site, ROOT / "runtime", ROOT / "benchmarks"))))


def download(folder: Path, packages: tuple[str, ...], architecture: str | None) -> None:
    """Download packages of Debian and, for another architecture, all that they need, without changing this host."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    status = folder / "status"
    status.touch()
    settings = {"Dir::State": folder, "Dir::State::Lists": folder / "lists", "Dir::Cache": folder}
    settings |= {"Dir::Cache::archives": folder / "archives", "Dir::State::status": status}
    settings |= {"APT::Sandbox::User": "", "APT::Install-Recommends": "0"}
    if architecture:
        settings |= {"APT::Architecture": architecture, "APT::Architectures": architecture}
    lines = [f'{name} "{value}";' for name, value in settings.items()]
    (folder / "apt.conf").write_text("\n".join(lines) + "\n")
    for command in (["update"], ["install", "--yes", "--download-only", *packages]):
        run(["apt-get", "-q", *command], APT_CONFIG=str(folder / "apt.conf"))


def unpack(folder: Path, into: Path) -> None:
    """Unpack downloaded packages of Debian."""
    for package in sorted((folder / "archives").glob("*.deb")):
        run(["dpkg-deb", "-x", str(package), str(into)])


def wheels(folder: Path, into: Path, packages: tuple[str, ...]) -> None:
    """Download wheels for Python 3.11 on 64-bit Arm with what they need, and unpack them."""
    tags = [word for tag in TAGS for word in ("--platform", tag)]
    tags += ["--implementation", "cp", "--python-version", "3.11"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    run([*command, "--only-binary=:all:", *tags, "--dest", str(folder), *packages])
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(into)


def run(command: list[str], **variables: str) -> str:
    """What a command prints on stdout; ends this process if it fails."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    clean |= {"ORT_DISABLE_TELEMETRY": "1"} | variables
    print(" ".join(map(os.path.basename, command[:4])), file=sys.stderr)
    try:
        done = subprocess.run(command, env=clean, stdout=subprocess.PIPE, text=True, check=False, timeout=60 * MINUTES)
    except FileNotFoundError:
        sys.exit(f"{command[0]}: not found; this script needs Debian's apt-get and dpkg-deb")
    except subprocess.TimeoutExpired:
        sys.exit(f"{command[0]}: not done within {MINUTES} minutes")
    if done.returncode:
        sys.exit(f"{command[0]}: exit code {done.returncode}: {done.stdout[-2000:]}")
    return done.stdout


def _options() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument(
        "models", nargs="*", help="exported files of any task; those that ship and fresh small ones if none"
    )
    parser.add_argument("--n", type=int, default=4, help="inputs per file: the emulation is slow")
    parser.add_argument("--onnxruntime", default="1.23.2", help="version on the Arm host")
    parser.add_argument("--folder", default=str(ROOT / "build" / "arm"), help="what is downloaded stays here")
    parser.add_argument("--draw", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
