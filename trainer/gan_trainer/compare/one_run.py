"""The process of one run of a comparison: place and plan come on stdin, recipe and seed as arguments.

It prints a JSON object with the `result`, or with the `error`.
"""

import base64
import json
import pickle
import signal
import sys
from typing import Any, NoReturn

from gan_runtime.errors import GanEdgeError
from gan_runtime.terminal.exit_codes import TERMINATED
from gan_trainer.compare.cells import finish
from gan_trainer.compare.plan import Cell
from gan_trainer.compare.processes import Processes


def main() -> None:
    """Do the run. What it starts ends with it."""
    signal.signal(signal.SIGTERM, _on_sigterm)
    place, plan = pickle.loads(base64.b64decode(sys.stdin.read()))  # from the process that started this one
    recipe, seed = sys.argv[1:]
    processes = Processes(ends_with_parent=True)
    try:
        document: dict[str, Any] = {"result": finish(place, plan, Cell(recipe, int(seed)), processes.run)}
    except GanEdgeError as error:
        document = {"error": str(error)}
    finally:
        processes.stop()
    json.dump(document, sys.stdout)


def _on_sigterm(number: int, frame: object) -> NoReturn:
    sys.exit(TERMINATED)  # an exception, so that a training is stopped in good order


if __name__ == "__main__":
    main()
