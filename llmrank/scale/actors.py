"""Actors: processes on many machines, each with a backend of its own, that share the partitions of a folder (Ray Data).

Ray Data places the actors, hands each the next partition when it has done one, and starts a lost one again. The rows
do not travel through it: the actor reads its file and writes its output, with the same code as a single process. Ray's
own blocks are cut anew on every start, so a file written from them is not the same file twice; and a lost task is done
again from its beginning, where a partition is continued from its last row. A user is one row, and a row stays in one
actor, so all questions about a user meet one prefix cache.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llmrank.errors import EngineDiedError, LlmrankError, MissingError
from llmrank.scale.partition import Partition, Result

if TYPE_CHECKING:
    from ray.data import Dataset

ATTEMPTS = 4
"""How often a partition is begun without a row being added; one that kills its actors must not go on for ever."""
LOCAL_OBJECT_STORE = 100 * 2**20
"""Bytes: what Ray holds of a job is a name for each file. (Its own default is a third of the memory.)"""


class Worker(Protocol):
    """What an actor holds: a backend, and how to do a partition with it."""

    def work(self, partition: Partition) -> Result:
        """Do the partition, or what is left of it; raise EngineDiedError if this worker can do no more."""
        ...

    def close(self) -> None:
        """Release the backend."""
        ...


class _Actor:
    """The worker in an actor's process, which ends with its engine. It is opened in the thread in which it works."""

    def __init__(self, open_worker: Callable[[], Worker]) -> None:
        self._open, self._worker = open_worker, None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        partitions: list[Partition] = [pickle.loads(sent) for sent in batch["partition"]]
        return {"result": [pickle.dumps(self._work(partition)) for partition in partitions]}

    def _work(self, partition: Partition) -> Result:
        if begun(partition) > ATTEMPTS:
            return Result(partition.output, error=f"{partition.source}: {ATTEMPTS} actors died of it", exit_code=4)
        if self._worker is None:
            try:
                self._worker = self._open()
            except LlmrankError as error:
                return Result(partition.output, error=str(error), exit_code=error.exit_code, stops=True)
        try:
            result = self._worker.work(partition)
        except EngineDiedError as error:
            # The actor is lost with its engine; a dead process is what Ray replaces.
            print(error, file=sys.stderr, flush=True)  # noqa: T201 - Ray carries it to the terminal
            os._exit(1)
        forget(partition)
        return result

    def __del__(self) -> None:
        if self._worker is not None:
            self._worker.close()


def begun(partition: Partition) -> int:
    """Note on disk that the partition is begun, and return how often it was since a row was last added.

    On disk, because whoever began it before is dead.
    """
    rows = partition.unfinished.stat().st_size if partition.unfinished.exists() else 0
    with _marks(partition).open("a+", encoding="utf-8") as file:
        file.write(f"{rows}\n")
        file.flush()
        file.seek(0)
        lines = file.read().split()
    return sum(1 for _ in takewhile(lines[-1].__eq__, reversed(lines)))


def forget(partition: Partition) -> None:
    """Remove what `begun` noted."""
    _marks(partition).unlink(missing_ok=True)


def _marks(partition: Partition) -> Path:
    return partition.output.with_name(f"_{partition.output.name}.begun")


def work_on_actors(
    partitions: Sequence[Partition], open_worker: Callable[[], Worker], *, actors: int | None, gpus: float | None
) -> Iterator[Result]:
    """Yield the Result of each partition as it ends; one that failed in a way that is no LlmrankError yields none.

    The cluster that RAY_ADDRESS names is joined (`auto`: this machine's); without it Ray runs here, for this job alone.

    Args:
        partitions: Those that are not done.
        open_worker: Called once in each actor; it is sent there, so it must be picklable.
        actors: None: one for each GPU that `gpus` leaves room for, or for each CPU.
        gpus: GPUs of an actor; None: one where the cluster has any.

    Raises:
        MissingError: Ray is not installed, or no cluster answers.
    """
    try:
        import ray
        from ray.data import ActorPoolStrategy, DataContext, from_items
    except ImportError as error:
        raise MissingError("Ray is not installed", hint="pip install 'llmrank[ray]'; or use --shard i/n") from error
    started = not ray.is_initialized()
    if started:
        _join(ray)
    try:
        resources: Mapping[str, float] = ray.cluster_resources()
        gpus = (1.0 if resources.get("GPU") else 0.0) if gpus is None else gpus
        room = resources.get("GPU", 0.0) / gpus if gpus else resources.get("CPU", 1.0)
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = -1  # a partition that is lost must not end the others
        for partition in partitions:
            forget(partition)
        # As bytes, since Arrow has no such objects.
        sent = [{"partition": pickle.dumps(partition)} for partition in partitions]
        # Ray Data starts an actor again wherever there is room, and gives what it had in hand to one of them.
        size = min(actors or max(1, int(room)), len(sent))
        # One at a time: what waits at a busy actor could not go to a free one.
        pool = ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=1)
        dataset: Dataset = from_items(sent, override_num_blocks=len(sent)).map_batches(
            _Actor, fn_constructor_args=(open_worker,), batch_size=1, compute=pool, num_gpus=gpus
        )
        for row in dataset.iter_rows():
            yield pickle.loads(row["result"])
    finally:
        if started:
            ray.shutdown()


def _join(ray: Any) -> None:  # noqa: ANN401 - the module
    """Join the cluster that RAY_ADDRESS names, or start one on this machine for this job."""
    # Ray reports its usage to its makers by default; the user of llmrank has not agreed to that.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # vLLM's engine is a process of its own, which outlives a killed actor and keeps the GPU: end it with the actor. (Of
    # a cluster that runs already, `ray start` must have had this.)
    os.environ.setdefault("RAY_process_group_cleanup_enabled", "true")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    address = os.environ.get("RAY_ADDRESS", "local")
    if address == "local":  # and not "auto", which would join another job's private Ray, and end with it
        ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=LOCAL_OBJECT_STORE,
            logging_level=logging.ERROR,
        )
        return
    try:
        ray.init(address=address, logging_level=logging.ERROR)
    except ConnectionError as error:
        hint = "start it (ray start), correct RAY_ADDRESS, or unset it to run on this machine alone"
        raise MissingError(f"no Ray cluster answers at RAY_ADDRESS={address}", hint=hint) from error
