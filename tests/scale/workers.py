"""A worker that dies of one partition: its process is killed, as the kernel does when memory runs out."""

from __future__ import annotations

import os
import signal

from llmrank.scale import Partition, Result


class Killed:
    def work(self, partition: Partition) -> Result:
        if partition.source.name == "killer":
            with partition.output.open("a") as file:
                file.write("begun\n")
            os.kill(os.getpid(), signal.SIGKILL)
        return Result(partition.output, rows=1)

    def close(self) -> None:
        return


def opened() -> Killed:
    return Killed()
