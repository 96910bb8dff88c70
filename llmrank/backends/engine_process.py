"""What the processes of vLLM's engine run first: they end with the process that started them, however it ends.

The engine of a process that is killed would live on and keep its memory, so that the next run finds none.
`multiprocessing` runs this module as the main module of each process that it spawns for `llmrank.backends.vllm`.
"""

from __future__ import annotations

import os
import signal
import time
from multiprocessing import parent_process
from threading import Thread

SECONDS_TO_END = 10.0
"""What the engine gets to end as vLLM has it, before it is killed."""


def end_with_parent() -> None:
    """Return never: wait for the end of the process that spawned this one, then end too."""
    while (parent := parent_process()) is None:  # it is known a moment after this module has run
        time.sleep(0.1)
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_END)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__mp_main__":
    Thread(target=end_with_parent, daemon=True).start()
