"""A worker that dies of one partition, killed as the kernel does when memory runs out, and whose engine dies once."""

from __future__ import annotations

import os
import signal
import subprocess

from llmrank.errors import EngineDiedError
from llmrank.scale import Partition, Result


class Killed:
    def work(self, partition: Partition) -> Result:
        if partition.source.name == "killer":
            # Like vLLM's engine, a child that does not notice when its parent dies.
            child = subprocess.Popen(["sleep", "300"])
            with partition.output.open("a") as file:
                file.write(f"{child.pid}\n")
            os.kill(os.getpid(), signal.SIGKILL)
        if partition.source.name == "engine" and not partition.output.exists():
            partition.output.touch()
            raise EngineDiedError("the engine died")
        return Result(partition.output, rows=1)

    def close(self) -> None:
        return


def opened() -> Killed:
    return Killed()
