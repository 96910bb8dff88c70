"""What the processes of vLLM's engine run first: they end with the process that started them, however it ends.

The engine of a process that is killed would live on and keep its memory, so that the next run finds none.
`multiprocessing` runs this module as the main module of each process that it spawns for `llmrank.backends.vllm`.
"""

from __future__ import annotations

import os
import signal
import time
from threading import Thread

SECONDS_TO_END = 10.0
"""What the engine gets to end as vLLM has it, before it is killed."""


def end_with(parent: int) -> None:
    """Return never: wait for the end of the parent process, then end this one."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_END)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__mp_main__":
    Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
