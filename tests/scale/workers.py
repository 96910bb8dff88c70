"""A worker that dies of one partition: its process is killed, as the kernel does when memory runs out."""

from __future__ import annotations

import os
import signal
import subprocess

from llmrank.scale import Partition, Result


class Killed:
    def work(self, partition: Partition) -> Result:
        if partition.source.name == "killer":
            # Like vLLM's engine, a child that does not notice when its parent dies.
            child = subprocess.Popen(["sleep", "300"])
            with partition.output.open("a") as file:
                file.write(f"{child.pid}\n")
            os.kill(os.getpid(), signal.SIGKILL)
        return Result(partition.output, rows=1)

    def close(self) -> None:
        return


def opened() -> Killed:
    return Killed()
