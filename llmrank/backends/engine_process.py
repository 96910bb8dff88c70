"""The main module of vLLM's engine processes. It makes them end with the process that started them, however that ends.

Otherwise the engine of a killed process would live on and keep its memory, which the next run would lack.
`multiprocessing` runs this module as the main module of each process that `llmrank.backends.vllm` spawns.
"""

from __future__ import annotations

import os
import signal
import time
from multiprocessing import parent_process
from threading import Thread

SECONDS_TO_END = 10.0
"""Seconds for the engine to shut down before it is killed."""


def end_with_parent() -> None:
    """Wait until the process that spawned this one has ended, then end this one. Never returns."""
    while (parent := parent_process()) is None:  # known shortly after this module has run
        time.sleep(0.1)
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_END)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__mp_main__":
    Thread(target=end_with_parent, daemon=True).start()
