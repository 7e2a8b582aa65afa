"""Every command of gan-edge in one list: `python cli.py train|export|sample|translate|upscale|info|…`.

A front door for the source tree; the installed commands (gan-train, gan-export, …) are the same functions.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT / "runtime"), str(ROOT / "trainer")]

from gan_runtime.commands.bench import bench  # noqa: E402
from gan_runtime.commands.data import data  # noqa: E402
from gan_runtime.commands.encode import encode  # noqa: E402
from gan_runtime.commands.evaluate import evaluate  # noqa: E402
from gan_runtime.commands.info import info  # noqa: E402
from gan_runtime.commands.sample import sample  # noqa: E402
from gan_runtime.commands.translate import translate  # noqa: E402
from gan_runtime.commands.upscale import upscale  # noqa: E402
from gan_runtime.terminal.commandline import new_app, run_app  # noqa: E402
from gan_runtime.terminal.help import GroupedCommand  # noqa: E402
from gan_trainer.commands.compare import compare  # noqa: E402
from gan_trainer.commands.export import export  # noqa: E402
from gan_trainer.commands.features import features  # noqa: E402
from gan_trainer.commands.flags import RecipeCommand  # noqa: E402
from gan_trainer.commands.project import project  # noqa: E402
from gan_trainer.commands.train import train  # noqa: E402

app = new_app()
app.command(cls=RecipeCommand)(train)
for command in (export, sample, translate, upscale, info, data, encode, bench, compare, features, project):
    app.command(cls=GroupedCommand)(command)
app.command("eval", cls=GroupedCommand)(evaluate)

if __name__ == "__main__":
    sys.argv[1:] = sys.argv[1:] or ["--help"]
    sys.exit(run_app(app, "cli.py"))
