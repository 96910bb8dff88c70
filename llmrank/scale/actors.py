"""Actors: processes on many machines, each with its own backend, that share the partitions of a folder (Ray Data).

Ray Data places the actors, hands each the next partition when it is free, and restarts lost ones. The rows do not pass
through Ray: an actor reads its file and writes its output with the same code as a single process. Ray's own blocks are
cut differently on every start, so files written from them would not be reproducible; and Ray repeats a lost task from
the start, whereas a partition continues from its last row. All calls about a user stay in one actor, and so share its
prefix cache.
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
"""Maximum attempts at a partition without a new row, so that a partition that kills its actors is given up."""
LOCAL_OBJECT_STORE = 100 * 2**20
"""Bytes. Ray holds only file names here; its default would be a third of the memory."""


class Worker(Protocol):
    """Does partitions with one backend, inside an actor."""

    def work(self, partition: Partition) -> Result:
        """Do the rest of the partition. Raises EngineDiedError if this worker is unusable."""
        ...

    def close(self) -> None:
        """Release the backend."""
        ...


class _Actor:
    """Runs a worker in an actor's process, which ends with its engine. The worker is opened in its working thread."""

    def __init__(self, open_worker: Callable[[], Worker]) -> None:
        self._open, self._worker = open_worker, None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        partitions: list[Partition] = [pickle.loads(sent) for sent in batch["partition"]]
        return {"result": [pickle.dumps(self._work(partition)) for partition in partitions]}

    def _work(self, partition: Partition) -> Result:
        if begun(partition) > ATTEMPTS:
            return Result(partition.output, error=f"{partition.source}: killed {ATTEMPTS} actors", exit_code=4)
        if self._worker is None:
            try:
                self._worker = self._open()
            except LlmrankError as error:
                return Result(partition.output, error=error.message, exit_code=error.exit_code, stops=True)
        try:
            result = self._worker.work(partition)
        except EngineDiedError as error:
            # The actor is useless without its engine. Exit: Ray replaces dead processes.
            print(error, file=sys.stderr, flush=True)  # noqa: T201 - Ray forwards it to the terminal
            os._exit(1)
        forget(partition)
        return result

    def __del__(self) -> None:
        if self._worker is not None:
            self._worker.close()


def begun(partition: Partition) -> int:
    """Record on disk that the partition is started, and return the number of starts since the last new row.

    On disk, because earlier processes may have died.
    """
    rows = partition.unfinished.stat().st_size if partition.unfinished.exists() else 0
    with _marks(partition).open("a+", encoding="utf-8") as file:
        file.write(f"{rows}\n")
        file.flush()
        file.seek(0)
        lines = file.read().split()
    return sum(1 for _ in takewhile(lines[-1].__eq__, reversed(lines)))


def forget(partition: Partition) -> None:
    """Remove the record of `begun`."""
    _marks(partition).unlink(missing_ok=True)


def _marks(partition: Partition) -> Path:
    return partition.output.with_name(f"_{partition.output.name}.begun")


def work_on_actors(
    partitions: Sequence[Partition], open_worker: Callable[[], Worker], *, actors: int | None, gpus: float | None
) -> Iterator[Result]:
    """Yield the Result of each partition when it ends; none for one that failed with an unexpected error.

    Joins the cluster in RAY_ADDRESS (`auto`: this machine's); without it, starts Ray on this machine for this job.

    Args:
        partitions: The unfinished partitions.
        open_worker: Called once in each actor. It is sent there, so it must be picklable.
        actors: Number of actors; None: as many as there are GPUs for, or CPUs.
        gpus: GPUs per actor; None: one if the cluster has any.

    Raises:
        MissingError: Ray is not installed, or the cluster does not respond.
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
        context.max_errored_blocks = -1  # a lost partition must not stop the others
        for partition in partitions:
            forget(partition)
        # Pickled, because Arrow cannot hold Python objects.
        sent = [{"partition": pickle.dumps(partition)} for partition in partitions]
        # Ray Data restarts lost actors wherever there is room, and reassigns their partitions.
        size = min(actors or max(1, int(room)), len(sent))
        # One task per actor: a partition queued at a busy actor could not move to a free one.
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
    """Join the cluster in RAY_ADDRESS, or start one on this machine for this job."""
    # Ray reports usage statistics by default; users of llmrank have not agreed to that.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # vLLM's engine is a separate process that outlives a killed actor and keeps the GPU; this ends it with the actor.
    # (For a running cluster, `ray start` must have been given this setting.)
    os.environ.setdefault("RAY_process_group_cleanup_enabled", "true")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    address = os.environ.get("RAY_ADDRESS", "local")
    if address == "local":  # "auto" could join another job's private Ray, and end with it
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
        hint = "start the cluster (ray start), correct RAY_ADDRESS, or unset it to run on this machine only"
        raise MissingError(f"no Ray cluster responds at RAY_ADDRESS={address}", hint=hint) from error
