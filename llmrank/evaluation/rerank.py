"""Reranking: candidate files in, reranked files out; or Cases in, Rankings out. Ground truth is never used."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, overload

from llmrank.data.candidate_row import RERANKED_FIELDS, CandidateRow
from llmrank.data.candidates import ArrowTable, CandidateFile, DataFrame, file_format
from llmrank.data.reranked import SOURCE_HASH, RerankedWriter, check_output, check_store, rows_in
from llmrank.engine import Budget, CaseResult, Estimate
from llmrank.errors import (
    EngineDiedError,
    InputError,
    LlmrankError,
    MissingError,
    TooManyErrorsError,
    UnfinishedError,
    count_of,
)
from llmrank.evaluation.evaluate import CostEstimate, note_domain, note_idle_first
from llmrank.evaluation.given import checked_cases
from llmrank.evaluation.method import Method, tasks_of
from llmrank.evaluation.session import Session, check_storable, default_store, format_reasons, refuse_errors
from llmrank.evaluation.settings import ModelSettings, PromptSettings, ScaleSettings, changed
from llmrank.evaluation.setup import Setup
from llmrank.evaluation.training_data import TrainingData
from llmrank.files import sha256_of
from llmrank.progress import Reporter, reporter_of
from llmrank.rankers.ranking import add_counts
from llmrank.scale import Partition, Result, Shard, discard, partition_file, partition_folder
from llmrank.scale.partition import agree
from llmrank.store import Store
from llmrank.types import Case, Closable, Failure, Outcome, Ranking, Response, Usage


@dataclass(frozen=True, slots=True)
class Reranked:
    """The result of one `rerank` call."""

    output: Path
    rows: int
    outcomes: Mapping[str, int]
    """Number of rows per outcome, for the rows ranked in this call."""
    reasons: Mapping[str, int]
    """Number of rows per `outcome: reason`, for failed calls and unparsed answers in this call."""
    calls: int
    usage: Usage
    budget: Budget

    def __str__(self) -> str:
        if not any(self.outcomes.values()):
            return f"{self.output}: already complete; 0 calls."
        counts, why = counted(self.outcomes), f"\nreasons: {format_reasons(self.reasons)}" if self.reasons else ""
        made = f"{count_of(self.calls, 'call')}, {self.budget.describe()}"
        return f"{self.output}: {count_of(self.rows, 'row')}. This time: {counts}; {made}.{why}"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-compatible values."""
        return {
            "rows": self.rows,
            "output": str(self.output),
            "outcomes": dict(self.outcomes),
            "reasons": dict(self.reasons),
            "calls": self.calls,
            **self.budget.to_dict(),
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
        }


@dataclass(slots=True)
class _Tally:
    """Counts of the rows ranked in one call."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    reasons: Counter[str] = field(default_factory=Counter[str])
    usage: Usage = field(default_factory=Usage)
    failed: int = 0
    """Rows with a failed call."""

    def add(self, result: CaseResult) -> tuple[Usage | None, bool]:
        """Count a row. Return its usage (None if an answer did not report its own), and whether a call failed."""
        ranking, replies = result.ranking, [exchange.reply for exchange in result.exchanges]
        failures = [reply.reason for reply in replies if isinstance(reply, Failure)]
        spent = [reply.usage for reply in replies if isinstance(reply, Response)]
        self.outcomes[ranking.outcome] += 1
        if ranking.reason:
            self.reasons[f"{ranking.outcome}: {ranking.reason}"] += 1
        elif failures:
            self.reasons[f"{Outcome.ERROR}: {failures[0]}"] += 1
        self.failed += bool(failures)
        total = sum(spent, Usage())
        self.usage += total
        return None if Usage() in spent else total, bool(failures)


@dataclass(frozen=True, slots=True)
class RerankJob:
    """How rows are reranked. A job can be sent to another process."""

    setup: Setup
    scale: ScaleSettings = field(default_factory=ScaleSettings)
    seed: int = 0
    skip_bad_rows: bool = False
    """Skip invalid rows, and count them."""
    folder: Path = field(default_factory=Path.cwd)
    """Working folder of the job, against which relative paths (of prompts, of a model) are resolved."""

    def method(self, candidates: CandidateFile, session: Session) -> Method:
        """Return the method for the rows of a file. Shots and popularity come from the file itself.

        Raises InputError if the backend does not support the method.
        """
        training = TrainingData(candidates.cases, candidates.summary.rating_scale)
        method = self.setup.method(session, training, self.seed).without_truth()
        # Two items are enough to know whether log-probabilities are needed; each list is checked again later.
        session.check(method.ranker.needs(2), ask=False)
        settings = {**method.settings, "backend": dict(session.backend.identity), "seed": self.seed}
        return replace(method, settings=settings)

    def check_task(self, targets: int, path: Path | str | None) -> None:
        """Raise InputError if rows have a rating target, and the method can only rank candidates."""
        if not targets or self.setup.ranker is not None:  # the tasks of the caller's own ranker are unknown
            return
        if "rating" not in tasks_of(self.setup.prompt, self.setup.template):
            problem = f"{count_of(targets, 'row has', 'rows have')} a rating target, but the method ranks candidates"
            hint = "choose a rating prompt (`llmrank prompts list`), or move these rows to a separate file"
            raise InputError(problem, path=path, field="target", hint=hint)

    def check(self, partition: Partition) -> CandidateFile:
        """Check every row of the source, and return the file. Relevant items are ignored."""
        candidates = CandidateFile(partition.source, truth="ignored", skip_bad_rows=self.skip_bad_rows)
        self.check_task(candidates.summary.targets, partition.source)
        return candidates

    def rows(self, partition: Partition, candidates: CandidateFile) -> Iterator[CandidateRow]:
        """Return the partition's rows."""
        shard = partition.shard
        return iter(candidates) if shard is None else (row for row in candidates if shard.holds(row.case.user_id))

    def rerank(
        self,
        partition: Partition,
        candidates: CandidateFile,
        session: Session,
        reporter: Reporter,
        *,
        overwrite: bool = False,
    ) -> Result:
        """Rerank the remaining rows of the partition, and return the result.

        `candidates` is its checked source. With `overwrite`, start over and replace existing output.

        Raises:
            InputError: the output exists, or was started with other settings.
            TooManyErrorsError: more rows failed than the limits allow; the same call retries them.
        """
        for note in candidates.summary.notes():
            reporter.message(note)
        if 0 < len(replaced := candidates.summary.reranked_fields) < len(RERANKED_FIELDS):  # all: a reranked file
            columns = "columns" if len(replaced) > 1 else "column"
            reporter.message(f"Replacing the {columns} {', '.join(sorted(replaced))} of the input.")
        rows = len(candidates) if partition.shard is None else sum(1 for _ in self.rows(partition, candidates))
        method = self.method(candidates, session)
        session.check(method.ranker.needs(2))
        if partition.settings is not None:
            agree(partition.settings, method.settings)
        settings = {**method.settings, SOURCE_HASH: sha256_of(partition.source)}
        if partition.shard is not None:
            settings["shard"] = str(partition.shard)
        tally, under_way, calls = _Tally(), dict[str, CandidateRow](), session.caller.calls
        with RerankedWriter(partition.output, candidates, settings=settings, overwrite=overwrite) as writer:

            def wanted() -> Iterator[Case]:
                for row in self.rows(partition, candidates):
                    if row not in writer:
                        under_way[row.case.case_id] = row
                        yield row.case

            def done(result: CaseResult) -> None:
                usage, failed = tally.add(result)
                writer.write(under_way.pop(result.case.case_id), result.ranking, usage, failed=failed)

            if not writer.finished and len(writer) < rows:
                session.rank(wanted(), method, done, reporter, total=rows, before=len(writer))
            refuse_errors(tally.failed, rows, self.setup.limits.max_error_rate, tally.reasons)
            writer.finish()
        calls = session.caller.calls - calls
        return Result(partition.output, rows, tally.outcomes, tally.reasons, calls, tally.usage)

    def is_divided(self, candidates: Path) -> bool:
        """Return whether the job is divided into partitions: the files of a folder, or a shard."""
        return candidates.is_dir() or self.scale.shard is not None

    def divide(self, candidates: Path, output: Path, reporter: Reporter) -> list[Partition]:
        """Return the partitions of this job; a single file without a shard is one partition.

        Raises InputError for settings that partitions do not support.
        """
        store = self.setup.model.store
        idle = {"--actors": self.scale.actors, "--gpus-per-actor": self.scale.gpus_per_actor}
        if self.scale.engine != "ray" and (given := [name for name, value in idle.items() if value is not None]):
            raise InputError(
                "only --engine ray has actors", field=given[0], hint="add --engine ray, or omit this option"
            )
        shard = None if self.scale.shard is None else Shard.parse(self.scale.shard)
        if self.is_divided(candidates):
            self._check_parts()
        if candidates.is_dir():
            parts = partition_folder(candidates, output, shard=shard, stores=store)
            if not parts:
                reporter.message(f"there are more shards than files: no files for shard {shard}")
            return parts
        if self.scale.engine == "ray":
            problem = f"Ray actors divide the files of a folder, but {candidates} is a single file"
            hint = "split it into a folder of files, or use --shard i/n"
            raise InputError(problem, field="engine", hint=hint)
        file_format(output)
        if shard is not None:
            part = partition_file(candidates, output, shard, store)
        else:
            part = Partition(candidates, output, store or default_store())
        check_store(part.store, part.output)
        return [part]

    def _check_parts(self) -> None:
        """Raise InputError for settings that a divided job does not support."""
        if self.setup.model.batch:
            hint = "omit it, or rerank the files one by one"
            raise InputError("the Batch API is not available for folders and shards", field="batch", hint=hint)
        bounds = ("max_requests", "max_total_tokens", "max_cost")
        given = [name for name in changed(self.setup.limits) if name in bounds]
        if self.scale.engine == "ray" and given:
            hint = "omit it; or use --shard i/n, where the limit applies to each shard"
            raise InputError("Ray actors cannot share a limit", field=given[0], hint=hint)


class PartitionWorker(Closable):
    """Reranks partitions one after another with one backend, each with its own Store."""

    def __init__(self, job: RerankJob, reporter: Reporter) -> None:
        """Open the backend. Raises what `Session` raises; MissingError if the job's folder is missing."""
        if not job.folder.is_dir():
            hint = "run the command in a folder that exists on every machine of the cluster, with the same content"
            raise MissingError(f"this machine has no folder {job.folder}", hint=hint)
        os.chdir(job.folder)
        self._job, self._reporter = job, reporter
        self._session = job.setup.session(reporter.message, Store(Path(":memory:")))
        self.budget = self._session.budget

    def agree(self, partition: Partition) -> None:
        """Raise InputError if the job was started with settings other than this worker's. Creates its folder."""
        method = self._job.method(self._job.check(partition), self._session)
        if partition.settings is not None:
            partition.settings.parent.mkdir(exist_ok=True)
            agree(partition.settings, method.settings)

    def work(self, partition: Partition) -> Result:
        """Rerank the rest of the partition. Errors about it are returned in the Result.

        Raises EngineDiedError, after which this worker is unusable.
        """
        before = self.budget.spent
        try:
            result = self._rerank(partition)
        except EngineDiedError:
            raise
        except LlmrankError as error:
            # An error in one file or its rows does not affect the other files; a refused key does.
            stops = not isinstance(error, InputError | TooManyErrorsError)
            result = Result(partition.output, error=error.message, exit_code=error.exit_code, stops=stops)
        return replace(result, spent=self.budget.spent - before)

    def _rerank(self, partition: Partition) -> Result:
        if partition.is_done:  # another worker finished it, and died before reporting
            return Result(partition.output)
        candidates = self._job.check(partition)
        with Store(partition.store if self._job.setup.asks_model else Path(":memory:"), alone=True) as store:
            self._session.store = store
            return self._job.rerank(partition, candidates, self._session, self._reporter)

    def close(self) -> None:
        """Close the backend."""
        self._session.close()


def counted(outcomes: Mapping[str, int]) -> str:
    """Format the number of Cases per outcome as one line."""
    return " · ".join(f"{outcome} {outcomes.get(outcome, 0)}" for outcome in Outcome)


def rerank_files(
    candidates: Path, output: Path, job: RerankJob, *, overwrite: bool = False, reporter: Reporter
) -> Reranked:
    """Rerank a candidate file into a file, or each file of a folder into a folder (see `rerank`)."""
    note_domain(job.setup, None, reporter.message)
    partitions = job.divide(candidates, output, reporter)
    if job.is_divided(candidates):
        results, budget = _rerank_partitions(job, partitions, reporter, overwrite=overwrite)
    else:
        if not overwrite:
            check_output(output)
        if job.setup.asks_model:
            check_storable(job.setup.model)
        checked = job.check(partitions[0])
        with job.setup.session(reporter.message) as session:
            results = [job.rerank(partitions[0], checked, session, reporter, overwrite=overwrite)]
            budget = session.budget
    if not candidates.is_dir():
        output = partitions[0].output
        results = results or [Result(output, rows_in(output))]  # a shard that was finished before
    return Reranked(
        output,
        rows=sum(result.rows for result in results),
        outcomes=add_counts(*(result.outcomes for result in results)),
        reasons=add_counts(*(result.reasons for result in results)),
        calls=sum(result.calls for result in results),
        usage=sum((result.usage for result in results), Usage()),
        budget=budget,
    )


def estimate_rerank(
    candidates: Path, output: Path, job: RerankJob, reporter: Reporter, *, overwrite: bool = False
) -> CostEstimate:
    """Estimate the calls of reranking, how many the Stores can answer, and the cost of the rest. Sends no requests.

    Finished partitions are not counted, unless `overwrite` starts them over.
    """
    partitions = job.divide(candidates, output, reporter)
    if not partitions:
        raise InputError("this shard has no files", field="shard", hint="choose a lower N, or another shard")
    checked = [job.check(partition) for partition in partitions]
    # Each partition has a Store of its own, perhaps not yet.
    empty = Store(Path(":memory:")) if job.is_divided(candidates) else None
    with job.setup.session(reporter.message, empty) as session:
        # Shots are taken from the first file; those of other files may be longer or shorter.
        method = job.method(checked[0], session)
        found = CostEstimate(Estimate(), True, session.budget.tariff, session.budget.batch)
        for partition, file in zip(partitions, checked, strict=True):
            if empty is not None and not overwrite and partition.is_done:
                continue
            with ExitStack() as opened:
                if empty is not None:
                    kept = partition.store.is_file()
                    session.store = opened.enter_context(Store(partition.store, read_only=True)) if kept else empty
                rows = (row.case for row in job.rows(partition, file))
                found += CostEstimate.of(rows, method, session, reporter.message)
        return found


def _rerank_partitions(
    job: RerankJob, partitions: Sequence[Partition], reporter: Reporter, *, overwrite: bool
) -> tuple[Sequence[Result], Budget]:
    """Rerank the unfinished partitions, report each, and return their Results and what was spent.

    Raises UnfinishedError: at the end, if some partitions failed; at once, for an error that affects all of them.
    """
    from llmrank.scale.actors import work_on_actors

    if not partitions:
        return [], Budget()
    results: list[Result] = []

    def follow(worked: Iterable[Result]) -> None:
        for result in worked:
            if result.stops:
                raise UnfinishedError(result.error, result.exit_code)
            results.append(result)
            place = f"[{done + len(results)}/{len(partitions)}] {result.output}"
            ranked = f"{count_of(result.rows, 'row')}, {counted(result.outcomes)}"
            reporter.message(f"{place}: {result.error or ranked}")

    with PartitionWorker(job, reporter) as worker:
        if overwrite:
            discard(partitions)
        worker.agree(partitions[0])
        remaining = [partition for partition in partitions if not partition.is_done]
        if done := len(partitions) - len(remaining):
            reporter.message(f"{done} of {count_of(len(partitions), 'file')} already done")
        if job.scale.engine == "local":
            follow(map(worker.work, remaining))
    if job.scale.engine == "ray" and remaining:
        opened = partial(PartitionWorker, job, Reporter())
        follow(work_on_actors(remaining, opened, actors=job.scale.actors, gpus=job.scale.gpus_per_actor))
        for result in results:
            worker.budget.spent += result.spent
    failed = [result for result in results if result.error]
    if len(results) < len(remaining) or failed:
        seen = {result.output for result in results}
        lost = [str(partition.output) for partition in remaining if partition.output not in seen]
        first = failed[0].error if failed else f"{lost[0]}: its actors died or failed (see above)"
        raise UnfinishedError(
            f"not finished: {len(failed) + len(lost)} of {count_of(len(partitions), 'file')}; run the same command to "
            f"continue. The first: {first}",
            failed[0].exit_code if failed else 4,
        )
    return results, worker.budget


@overload
def rerank(candidates: str | Path, out: str | Path, **arguments: Any) -> Reranked: ...
@overload
def rerank(
    candidates: Iterable[Case] | ArrowTable | DataFrame, out: None = None, **arguments: Any
) -> list[Ranking]: ...
def rerank(
    candidates: str | Path | Iterable[Case] | ArrowTable | DataFrame,
    out: str | Path | None = None,
    *,
    prompt: str | Path | PromptSettings | None = None,
    model: str | ModelSettings | None = None,
    seed: int = 0,
    skip_bad_rows: bool = False,
    overwrite: bool = False,
    progress: bool | Reporter = True,
    **settings: Any,
) -> Reranked | list[Ranking]:
    """Rerank a candidate file into a file, a folder of them into a folder, or Cases or a table into Rankings.

    For files, each row is written with `ranking`, `scores`, `outcome`, `repairs` and `usage` added. Candidates that the
    model did not rank follow in recall order. Repeating the call continues a stopped job.

    Args:
        candidates: Path of a candidate file or a folder of them; Cases; or a table with the columns of a candidate file
            (pandas, polars, pyarrow).
        out: Path to write; None for Cases and tables, whose Rankings are returned in the same order.
        prompt: Name or path of a template, or a `PromptSettings`.
        model: Name of the model, or a `ModelSettings`.
        seed: Seed for shuffles, shots and sampling.
        skip_bad_rows: Skip invalid rows, and count them.
        overwrite: Start over, replacing existing output.
        progress: Whether to show progress; or a Reporter that receives it.
        settings: Any field of `PromptSettings`, `ModelSettings`, `Limits` and `ScaleSettings`, by name.

    Raises:
        InputError: the input is invalid, or the output exists and was made with other settings.
        TooManyErrorsError: more rows failed than `max_error_rate` allows; the same call retries them.
    """
    setup, (scale,) = Setup.of(
        ScaleSettings,
        prompt=prompt,
        model=model,
        beside=("out", "overwrite", "progress", "seed", "skip_bad_rows"),
        **settings,
    )
    job, reporter = RerankJob(setup, scale, seed, skip_bad_rows), reporter_of(progress)
    if isinstance(candidates, str | Path):
        if out is None:
            raise InputError("reranking a file needs an output path", field="out", hint="give the file to write")
        return rerank_files(Path(candidates), Path(out), job, overwrite=overwrite, reporter=reporter)
    if out is not None:
        hint = "omit it, or pass a candidate file instead of Cases"
        raise InputError("the Rankings of Cases are returned, not written", field="out", hint=hint)
    if isinstance(candidates, ArrowTable | DataFrame):
        table = CandidateFile(candidates, truth="ignored", skip_bad_rows=skip_bad_rows)
        for note in table.summary.notes():
            reporter.message(note)
        candidates = table.cases()
    cases = checked_cases(candidates)
    job.check_task(sum(case.target is not None for case in cases), None)
    note_domain(setup, None, reporter.message)
    note_idle_first(setup, cases, reporter)
    with setup.session(reporter.message) as session:
        method = setup.method(session, TrainingData(lambda: cases), seed).without_truth()
        session.check(method.ranker.needs(max((len(case.candidates) for case in cases), default=0)))
        return session.rankings(cases, method, reporter)
