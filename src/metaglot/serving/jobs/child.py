"""The process that adapts: `python -m metaglot.serving.jobs.child MODEL PRECISION DEVICE THREADS`.

It reads an order a line, as JSON, from standard input, and writes an answer a line; nothing is pickled.  It yields to
the process that predicts (`nice`), and ends when that one has ended.
"""

import json
import os
import sys
import threading
import time
from typing import Any, cast

import torch

from metaglot.adaptation import Model, load_model
from metaglot.errors import MetaglotError
from metaglot.models import Runtime
from metaglot.models.devices import Precision
from metaglot.serving.jobs.work import REQUEST, SERVER, Order, OrderError, carry_out

NICE = 5


def main() -> None:
    """Answer orders until standard input ends."""
    name, precision, device, threads = sys.argv[1:]
    parent = os.getppid()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)  # what else is printed is for people
        if int(threads):
            torch.set_num_threads(int(threads))
        model = load_model(name, Runtime(cast("Precision", precision), device=device))
        os.nice(NICE)  # from now on: a server is ready once this is
        _say(out, {"ready": model.fingerprint()})
        for line in sys.stdin:
            _say(out, _answer(model, Order(*json.loads(line))))


def _answer(model: Model, order: Order) -> dict[str, Any]:
    try:
        return {"done": carry_out(model, order)}
    except MetaglotError as error:
        return {"reason": str(error), "fault": REQUEST}
    except OrderError as error:
        return {"reason": error.reason, "fault": error.fault}
    except Exception as error:  # whatever it is: the next order may be carried out
        return {"reason": f"{type(error).__name__} while adapting", "fault": SERVER}


def _say(out: Any, answer: dict[str, Any]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


def _end_with(parent: int) -> None:
    """End this process once its parent has, which a kill gives no time to say."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


if __name__ == "__main__":
    main()
