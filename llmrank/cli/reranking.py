"""Reranks one candidate file or one part of a job: what `rerank` does in its own process, and each actor in its."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from llmrank.cli.asking import FileHistories, asks_nobody, load_prompt, make_method
from llmrank.cli.backend import Connection, Reached, context_window, reach, refuse_errors
from llmrank.cli.options import BackendOptions, PromptOptions
from llmrank.cli.progress import Progress
from llmrank.errors import EngineDiedError, InputError, LlmrankError, MissingError, TooManyErrorsError
from llmrank.files import sha256_of
from llmrank.scale import Partition, Result
from llmrank.types import Case, Failure, Ranker, Usage

if TYPE_CHECKING:
    from llmrank.data.candidate_row import CandidateRow
    from llmrank.engine import Budget, Caller, CaseResult
    from llmrank.rankers.order import Order


@dataclass(frozen=True, slots=True)
class Reranking:
    """How rows are reranked, whichever they are. It can be sent to another process, and means the same there."""

    prompt: PromptOptions
    backend: BackendOptions
    seed: int
    allow_empty_history: bool
    folder: Path
    """Where the command was given: what relative names (of prompts, of a model) are relative to."""

    @property
    def nobody(self) -> bool:
        """Whether no model is asked."""
        return asks_nobody(self.prompt)

    def order(self) -> Order:
        """Return the order in which candidates are shown."""
        from llmrank.rankers.order import Order

        return Order.parse(self.prompt.order, self.seed)

    def check(self, partition: Partition) -> int:
        """Check every row of the source, and return how many there are to be done."""
        from llmrank.data.candidates import check_candidates

        rows = check_candidates(partition.source, allow_empty_history=self.allow_empty_history).rows
        return rows if partition.shard is None else sum(1 for _ in self.rows(partition))

    def rows(self, partition: Partition) -> Iterator[CandidateRow]:
        """Return the partition's rows; `check` has been called."""
        from llmrank.data.candidates import read_rows

        shard = partition.shard
        rows = read_rows(partition.source, allow_empty_history=self.allow_empty_history, checked=True)
        return rows if shard is None else (row for row in rows if shard.holds(row.case.user_id))

    def ranker(self, source: Path, reached: Reached | Connection) -> tuple[Ranker, dict[str, object]]:
        """Return the method, and all settings that can change a ranking; shots and popularity are the source's.

        Raises InputError for a prompt or method that does not fit the other, or that the backend cannot serve.
        """
        from llmrank.rankers.needs import needs_of

        histories = FileHistories(source, self.allow_empty_history)
        template, backend = None if self.nobody else load_prompt(self.prompt), reached.backend
        method = make_method(
            template, self.prompt, histories, seed=self.seed, room=context_window(backend, reached.runner)
        )
        # Two are enough to see whether log-probabilities are needed; each list is checked again as it is asked.
        needs_of(method.ranker, 2).check(backend.capabilities)
        return method.ranker, {**method.settings, "backend": dict(backend.identity), "seed": self.seed}

    def rerank(
        self,
        partition: Partition,
        connection: Connection,
        rows: int,
        *,
        caller: Caller | None = None,
        force: bool = False,
        progress: bool = True,
    ) -> Result:
        """Rerank the partition's rows, or what is left of them, and return what was done.

        `caller` is one of the connection's that has asked before, and knows what the endpoint takes.

        Raises:
            InputError: the output is there, or was begun with other settings.
            TooManyErrorsError: more rows failed than --max-error-rate allows; the same call asks for them again.
        """
        from llmrank.data.reranked import RerankedWriter
        from llmrank.engine import rank_all
        from llmrank.rankers.needs import needs_of
        from llmrank.scale.partition import agree

        ranker, settings = self.ranker(partition.source, connection)
        connection.check(needs_of(ranker, 2))
        if partition.settings is not None:
            agree(partition.settings, settings)
        settings = {**settings, "candidates_sha256": sha256_of(partition.source)}
        if partition.shard is not None:
            settings["shard"] = str(partition.shard)
        outcomes, usage, failed = Counter[str](), Usage(), 0
        under_way: dict[str, CandidateRow] = {}
        caller = caller or connection.caller()
        calls = caller.calls
        with ExitStack() as open_things:
            writer = open_things.enter_context(RerankedWriter(partition.output, settings=settings, overwrite=force))
            shown = (
                open_things.enter_context(Progress(rows, len(writer), spent=connection.budget.describe))
                if progress
                else None
            )

            def wanted() -> Iterator[Case]:
                for row in self.rows(partition):
                    if row not in writer:
                        under_way[row.case.user_id] = row
                        yield row.case

            def done(ranked: CaseResult) -> None:
                nonlocal usage, failed
                lost = any(isinstance(exchange.reply, Failure) for exchange in ranked.exchanges)
                failed += lost
                spent = sum(
                    (exchange.reply.usage for exchange in ranked.exchanges if not isinstance(exchange.reply, Failure)),
                    Usage(),
                )
                writer.write(under_way.pop(ranked.case.user_id), ranked.ranking, spent, failed=lost)
                outcomes[ranked.ranking.outcome] += 1
                usage += spent
                if shown is not None:
                    shown.add(ranked.ranking.outcome)

            if len(writer) < rows:
                connection.run(rank_all(wanted(), ranker, caller, arrange=self.order().arrange, done=done))
            refuse_errors(failed, rows, self.backend.max_error_rate, "the same command asks for them again")
            writer.finish()
        return Result(partition.output, rows, dict(outcomes), caller.calls - calls, usage)


class PartitionWorker:
    """One backend, and partitions one after another; each with the Store that belongs to it."""

    def __init__(self, reranking: Reranking, *, progress: bool) -> None:
        """Open the backend. Raises what `reach` raises; MissingError if the folder of the command is not there."""
        if not reranking.folder.is_dir():
            raise MissingError(
                f"this machine has no folder {reranking.folder}",
                hint="give the command in a folder that every machine of the cluster has, with the same content",
            )
        os.chdir(reranking.folder)
        self._reranking, self._progress = reranking, progress
        self._open_things = ExitStack()
        self._reached = self._open_things.enter_context(reach(reranking.backend, nobody=reranking.nobody))
        self._caller: Caller | None = None

    @property
    def budget(self) -> Budget:
        """What this worker spends."""
        return self._reached.budget

    def agree(self, partition: Partition) -> None:
        """Raise InputError if the job was begun with other settings than this worker's; make its folder if need be."""
        from llmrank.scale.partition import agree

        _, settings = self._reranking.ranker(partition.source, self._reached)
        if partition.settings is not None:
            partition.settings.parent.mkdir(exist_ok=True)
            agree(partition.settings, settings)

    def work(self, partition: Partition) -> Result:
        """Do what is left of the partition; what is wrong with it stands in the Result.

        Raises EngineDiedError, after which this worker is of no more use.
        """
        budget = self.budget
        requests, spent, doubtful = budget.requests, budget.spent, budget.doubtful
        try:
            result = self._rerank(partition)
        except EngineDiedError:
            raise
        except LlmrankError as error:
            # What is wrong with a file or its rows says nothing about the others; a refused key does.
            stops = not isinstance(error, InputError | TooManyErrorsError)
            result = Result(partition.output, error=str(error), exit_code=error.exit_code, stops=stops)
        return replace(
            result,
            requests=budget.requests - requests,
            spent=budget.spent - spent,
            doubtful=budget.doubtful - doubtful,
        )

    def _rerank(self, partition: Partition) -> Result:
        from llmrank.store import Store

        if partition.output.exists():  # whoever finished it died before saying so
            return Result(partition.output)
        rows = self._reranking.check(partition)
        with Store(Path(":memory:") if self._reranking.nobody else partition.store, alone=True) as store:
            connection = self._reached.beside(store)
            if self._caller is None:
                self._caller = connection.caller()
            self._caller.store = store
            return self._reranking.rerank(partition, connection, rows, caller=self._caller, progress=self._progress)

    def close(self) -> None:
        """Close the backend."""
        self._open_things.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
