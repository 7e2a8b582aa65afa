"""Shared by all commands: one-line errors, exit codes, --version and --json."""

import io
import os
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, NoReturn

import click
import typer

from gan_runtime import __version__
from gan_runtime.errors import GanEdgeError, IncompleteError
from gan_runtime.terminal.exit_codes import FAILURE, INCOMPLETE, INTERRUPTED, TERMINATED, USAGE_ERROR
from gan_runtime.terminal.help import GENERAL, GroupedCommand
from gan_runtime.terminal.text import note, plain, plain_json

STACK = 4000  # values


def new_app(**settings: Any) -> typer.Typer:
    """A typer application whose help and errors are plain text."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )


def run(command: Callable[..., None], name: str, cls: type[GroupedCommand] = GroupedCommand) -> NoReturn:
    """Run a function with typer annotations as the process `name`, with help by `cls`, and exit.

    Bad input becomes one line on stderr: exit code 2 for wrong usage, 4 for a job without some of its inputs, 1 for
    everything else.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")  # Pillow warns about unusual files that it decodes correctly
    app = new_app()
    app.command(cls=cls)(_abortable(command))
    leave(run_app(app, name))


def leave(code: int) -> NoReturn:
    """Flush the streams and end the process without the teardown of Python and ONNX Runtime.

    The teardown takes 55 of 305 ms of CPU time in a short gan-sample, and 12 of 84 ms in `gan-info --version`.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # closed by the caller or the reader, or the disk is full
            stream.flush()
    os._exit(code)


def run_app(app: typer.Typer, name: str) -> int:
    """Run `app` and return the exit code. Sets signal handlers, streams and environment variables of the process."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime reads it when it is imported
    # Matrix products of NumPy are small here, or in threads of their own: more threads would only wait for each other.
    # To start them takes 18 ms, and there would be one per processor of the host, whatever its container allows.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, _on_sigterm)
    hangup = getattr(signal, "SIGHUP", None)  # the terminal was closed; nohup ignores the signal
    if hangup is not None and signal.getsignal(hangup) == signal.SIG_DFL:
        signal.signal(hangup, _on_sigterm)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may be invalid text
    try:
        return int(app(prog_name=name, standalone_mode=False) or 0)
    except click.UsageError as error:
        prefix = error.ctx.command_path if error.ctx else name
        _complain(prefix, f"{error.format_message().rstrip('.')} (see {prefix} --help)")
        return USAGE_ERROR
    except GanEdgeError as error:
        _complain(name, str(error))
        return INCOMPLETE if isinstance(error, IncompleteError) else FAILURE
    except MemoryError:
        _complain(name, "not enough memory; reduce the batch size or the number of images")
    except BrokenPipeError:
        pass  # the reader of stdout closed it
    except OSError as error:
        _complain(name, f"{error.filename or 'stdout'}: {error.strerror or error}")
    except (KeyboardInterrupt, click.Abort) as error:
        note("; ".join((f"{name}: interrupted", *error.args)))
        return INTERRUPTED
    except SystemExit as error:  # of a signal: no teardown either, which aborts if a thread still runs ONNX Runtime
        return int(error.code or 0)
    return FAILURE


def print_result(text: str, as_json: dict[str, Any] | None = None) -> None:
    """Print the result of a command on stdout: `as_json` as one JSON document if it is given, else `text`.

    Control characters are replaced only on a terminal, so that other programs get paths unchanged.
    """
    if sys.stdout is not None:
        shown = plain(text) if sys.stdout.isatty() else text
        typer.echo(shown if as_json is None else plain_json(as_json, indent=2))


def show_version(wanted: bool) -> None:
    """Callback of --version."""
    if wanted:
        typer.echo(f"gan-edge {__version__}")
        raise typer.Exit


VERSION_OPTION: Any = typer.Option(
    "--version", callback=show_version, is_eager=True, help="Print the version and exit.", rich_help_panel=GENERAL
)


def _abortable(command: Callable[..., None]) -> Callable[..., None]:
    """`command`, with KeyboardInterrupt turned into click.Abort, because typer would drop its message."""

    def abortable(**arguments: Any) -> None:
        try:
            command(**arguments)
        except KeyboardInterrupt as error:
            raise click.Abort(*error.args) from None

    # Python takes the memory of its call stack from the system in blocks of 16 KiB and returns each when the first call
    # in it ends: hundreds of times while modules are imported, which takes 3 % of a short run. This call keeps a larger
    # block, with room for all others.
    abortable.__code__ = abortable.__code__.replace(co_stacksize=STACK)
    return wraps(command)(abortable)


def _complain(name: str, message: str) -> None:
    note(f"{name}: error: {' '.join(message.split())}")


def _on_sigterm(number: int, frame: object) -> NoReturn:
    sys.exit(TERMINATED)  # an exception, so that temporary files are removed on the way out
