"""Reranking: candidate files in, reranked files out, or Cases in and Rankings out. No ground truth is looked at."""

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
from llmrank.data.reranked import RerankedWriter, check_output, check_store
from llmrank.engine import Budget, CaseResult, Estimate
from llmrank.errors import EngineDiedError, InputError, LlmrankError, MissingError, TooManyErrorsError, UnfinishedError
from llmrank.evaluation.cases import checked_cases
from llmrank.evaluation.evaluate import CostEstimate
from llmrank.evaluation.method import Method, tasks_of
from llmrank.evaluation.session import Session, default_store, refuse_errors, said_reasons
from llmrank.evaluation.settings import ModelSettings, PromptSettings, ScaleSettings
from llmrank.evaluation.setup import Setup
from llmrank.evaluation.training_data import TrainingData
from llmrank.files import sha256_of
from llmrank.progress import Reporter, reporter_of
from llmrank.scale import Partition, Result, Shard, discard, partition_file, partition_folder
from llmrank.scale.partition import agree
from llmrank.store import Store
from llmrank.types import Case, Closable, Failure, Outcome, Ranking, Usage


@dataclass(frozen=True, slots=True)
class Reranked:
    """What `rerank` did this time."""

    output: Path
    rows: int
    outcomes: Mapping[str, int]
    """How the rows ended that were ranked this time."""
    reasons: Mapping[str, int]
    """Why calls failed and answers could not be read, each after its outcome, with how many of these rows met it."""
    calls: int
    usage: Usage
    budget: Budget

    def __str__(self) -> str:
        counts, why = counted(self.outcomes), f"\nreasons: {said_reasons(self.reasons)}" if self.reasons else ""
        made = f"{self.calls} calls, {self.budget.describe()}"
        return f"{self.output}: {self.rows} rows. This time: {counts}; {made}.{why}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
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


@dataclass(frozen=True, slots=True)
class RerankJob:
    """How rows are reranked, whichever they are. It can be sent to another process, and means the same there."""

    setup: Setup
    scale: ScaleSettings = field(default_factory=ScaleSettings)
    seed: int = 0
    skip_bad_rows: bool = False
    """Leave out rows that have faults, and count them."""
    folder: Path = field(default_factory=Path.cwd)
    """Where the job was given: what relative names (of prompts, of a model) are relative to."""

    def method(self, candidates: CandidateFile, session: Session) -> Method:
        """Return how the rows of a file are ranked; shots and popularity are drawn from the file itself.

        Raises InputError for a method that the backend cannot serve.
        """
        training = TrainingData(candidates.cases, candidates.summary.rating_scale)
        method = self.setup.method(session, training, self.seed).without_truth()
        # Two are enough to see whether log-probabilities are needed; each list is checked again as it is asked.
        session.check(method.ranker.needs(2), ask=False)
        settings = {**method.settings, "backend": dict(session.backend.identity), "seed": self.seed}
        return replace(method, settings=settings)

    def check_task(self, targets: int, path: Path | str | None) -> None:
        """Raise InputError where so many rows have a target, and the method can only rank candidates."""
        if not targets or self.setup.ranker is not None:  # of a ranker of the caller's own nothing is known
            return
        if "rating" not in tasks_of(self.setup.prompt, self.setup.template):
            problem = f"{targets:,} rows have a target (rating), and the method ranks candidates"
            hint = "choose a prompt that rates (`llmrank prompts list`), or put these rows into a file of their own"
            raise InputError(problem, path=path, field="target", hint=hint)

    def check(self, partition: Partition) -> CandidateFile:
        """Check every row of the source, and return the file. What is relevant is of no concern here."""
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
        force: bool = False,
    ) -> Result:
        """Rerank the partition's rows, or what is left of them, and return what was done.

        `candidates` is its source, checked. With `force` it is begun again, whatever exists.

        Raises:
            InputError: the output exists, or was begun with other settings.
            TooManyErrorsError: more rows failed than the limits allow; the same call asks for them again.
        """
        for note in candidates.summary.notes():
            reporter.message(note)
        if 0 < len(replaced := candidates.summary.reranked_fields) < len(RERANKED_FIELDS):  # not reranked before
            columns, verb = ("columns", "are") if len(replaced) > 1 else ("column", "is")
            names = ", ".join(sorted(replaced))
            reporter.message(f"The {columns} {names} of the input {verb} replaced by the reranking's own.")
        rows = len(candidates) if partition.shard is None else sum(1 for _ in self.rows(partition, candidates))
        method = self.method(candidates, session)
        session.check(method.ranker.needs(2))
        if partition.settings is not None:
            agree(partition.settings, method.settings)
        settings = {**method.settings, "candidates_sha256": sha256_of(partition.source)}
        if partition.shard is not None:
            settings["shard"] = str(partition.shard)
        outcomes, reasons, usage, failed = Counter[str](), Counter[str](), Usage(), 0
        under_way: dict[str, CandidateRow] = {}
        calls = session.caller.calls
        with RerankedWriter(partition.output, candidates, settings=settings, overwrite=force) as writer:

            def wanted() -> Iterator[Case]:
                for row in self.rows(partition, candidates):
                    if row not in writer:
                        under_way[row.case.case_id] = row
                        yield row.case

            def done(result: CaseResult) -> None:
                nonlocal usage, failed
                replies = [exchange.reply for exchange in result.exchanges]
                failures = [reply.reason for reply in replies if isinstance(reply, Failure)]
                lost = bool(failures)
                failed += lost
                if result.ranking.reason:
                    reasons[f"{result.ranking.outcome}: {result.ranking.reason}"] += 1
                elif failures:
                    reasons[f"{Outcome.ERROR}: {failures[0]}"] += 1
                spent = [reply.usage for reply in replies if not isinstance(reply, Failure)]
                known = sum(spent, Usage()) if Usage() not in spent else None
                writer.write(under_way.pop(result.case.case_id), result.ranking, known, failed=lost)
                outcomes[result.ranking.outcome] += 1
                usage += sum(spent, Usage())

            if not writer.finished and len(writer) < rows:
                session.rank(wanted(), method, done, reporter, total=rows, before=len(writer))
            refuse_errors(failed, rows, self.setup.limits.max_error_rate, reasons)
            writer.finish()
        return Result(partition.output, rows, dict(outcomes), dict(reasons), session.caller.calls - calls, usage)

    def is_divided(self, candidates: Path) -> bool:
        """Return whether the job has parts of its own: the files of a folder, or a shard."""
        return candidates.is_dir() or self.scale.shard is not None

    def divide(self, candidates: Path, output: Path, reporter: Reporter) -> list[Partition]:
        """Return the parts that this job is to do: for a file without a shard, the one that it is.

        Raises InputError for settings that parts cannot keep.
        """
        store = self.setup.model.store
        idle = {"--actors": self.scale.actors, "--gpus-per-actor": self.scale.gpus_per_actor}
        if self.scale.engine != "ray" and (given := [name for name, value in idle.items() if value is not None]):
            hint = "give --engine ray too, or leave it out"
            raise InputError("without Ray there are no actors", field=given[0], hint=hint)
        shard = None if self.scale.shard is None else Shard.parse(self.scale.shard)
        if self.is_divided(candidates):
            self._check_parts()
        if candidates.is_dir():
            parts = partition_folder(candidates, output, shard=shard, stores=store)
            if not parts:
                reporter.message(f"there are more shards than files, and none is left for {shard}")
            return parts
        if self.scale.engine == "ray":
            problem = "the actors share the files of a folder, and this is one file"
            hint = "divide it into a folder of files, or use --shard i/n"
            raise InputError(problem, path=candidates, field="--engine", hint=hint)
        file_format(output)
        if shard is not None:
            part = partition_file(candidates, output, shard, store)
        else:
            part = Partition(candidates, output, store or default_store())
        check_store(part.store, part.output)
        return [part]

    def _check_parts(self) -> None:
        """Raise InputError for settings that only a job of one process can keep."""
        if self.setup.model.batch:
            hint = "leave it out, or rerank the files one by one: a batch holds the rows of one"
            raise InputError("parts are not asked through the Batch API", field="--batch", hint=hint)
        limits = self.setup.limits
        bounds = {"requests": limits.max_requests, "total-tokens": limits.max_total_tokens, "cost": limits.max_cost}
        if self.scale.engine == "ray" and (given := [name for name, bound in bounds.items() if bound is not None]):
            hint = "leave it out; or use --shard i/n, where each shard keeps the bound it is given"
            raise InputError("actors have no common bound", field=f"--max-{given[0]}", hint=hint)


class PartitionWorker(Closable):
    """One backend, and partitions one after another; each with the Store that belongs to it."""

    def __init__(self, job: RerankJob, reporter: Reporter) -> None:
        """Open the backend. Raises what `Session` raises; MissingError if the job's folder is missing."""
        if not job.folder.is_dir():
            hint = "give the command in a folder that every machine of the cluster has, with the same content"
            raise MissingError(f"this machine has no folder {job.folder}", hint=hint)
        os.chdir(job.folder)
        self._job, self._reporter = job, reporter
        self._session = job.setup.session(reporter.message, Store(Path(":memory:")))
        self.budget = self._session.budget

    def agree(self, partition: Partition) -> None:
        """Raise InputError if the job was begun with other settings than this worker's; make its folder if need be."""
        method = self._job.method(self._job.check(partition), self._session)
        if partition.settings is not None:
            partition.settings.parent.mkdir(exist_ok=True)
            agree(partition.settings, method.settings)

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
            result, requests=budget.requests - requests, spent=budget.spent - spent, doubtful=budget.doubtful - doubtful
        )

    def _rerank(self, partition: Partition) -> Result:
        if partition.output.exists():  # whoever finished it died before saying so
            return Result(partition.output)
        candidates = self._job.check(partition)
        with Store(partition.store if self._job.setup.asks_model else Path(":memory:"), alone=True) as store:
            self._session.store = store
            return self._job.rerank(partition, candidates, self._session, self._reporter)

    def close(self) -> None:
        """Close the backend."""
        self._session.close()


def counted(outcomes: Mapping[str, int]) -> str:
    """Return how many Cases ended how, on one line."""
    return " · ".join(f"{outcome} {outcomes.get(outcome, 0)}" for outcome in Outcome)


def rerank_files(
    candidates: Path, output: Path, job: RerankJob, *, force: bool = False, reporter: Reporter
) -> Reranked:
    """Rerank a candidate file into a file, or each file of a folder into a folder (see `rerank`)."""
    partitions = job.divide(candidates, output, reporter)
    if job.is_divided(candidates):
        results, budget = _rerank_partitions(job, partitions, reporter, force=force)
    else:
        if not force:
            check_output(output)
        checked = job.check(partitions[0])
        with job.setup.session(reporter.message) as session:
            results, budget = [job.rerank(partitions[0], checked, session, reporter, force=force)], session.budget
    return Reranked(
        output,
        rows=sum(result.rows for result in results),
        outcomes=sum((Counter(result.outcomes) for result in results), Counter[str]()),
        reasons=sum((Counter(result.reasons) for result in results), Counter[str]()),
        calls=sum(result.calls for result in results),
        usage=sum((result.usage for result in results), Usage()),
        budget=budget,
    )


def estimate_rerank(
    candidates: Path, output: Path, job: RerankJob, reporter: Reporter, *, force: bool = False
) -> CostEstimate:
    """Return what reranking would ask, what of it the Stores have, and what the rest may cost. No request is sent.

    Parts that are done count for nothing, unless `force` begins them again.
    """
    partitions = job.divide(candidates, output, reporter)
    if not partitions:
        raise InputError("nothing is left for this shard to do", field="--shard", hint="name one that has files")
    checked = [job.check(partition) for partition in partitions]
    divided = job.is_divided(candidates)
    with job.setup.session(reporter.message, Store(Path(":memory:")) if divided else None) as session:
        # Shots from the other files may be longer or shorter; it is an estimate.
        method = job.method(checked[0], session)
        found = CostEstimate(Estimate(), True, session.budget.tariff, session.budget.batch)
        for partition, file in zip(partitions, checked, strict=True):
            if divided and not force and partition.output.exists():
                continue
            with ExitStack() as opened:
                if divided and partition.store.is_file():
                    session.store = opened.enter_context(Store(partition.store, read_only=True))
                elif divided:
                    session.store = opened.enter_context(Store(Path(":memory:")))
                found += CostEstimate.of((row.case for row in job.rows(partition, file)), method, session)
        return found


def _rerank_partitions(
    job: RerankJob, partitions: Sequence[Partition], reporter: Reporter, *, force: bool
) -> tuple[Sequence[Result], Budget]:
    """Return the Results of the partitions that were not done yet, and what was spent; report how each ended.

    Raises UnfinishedError: once the others are done, for what is wrong with some; at once, for what is wrong with all.
    """
    from llmrank.scale.actors import work_on_actors

    if not partitions:
        return [], Budget()
    ahead: list[Partition] = []
    results: list[Result] = []

    def follow(worked: Iterable[Result]) -> None:
        for result in worked:
            if result.stops:
                raise UnfinishedError(result.error, result.exit_code)
            results.append(result)
            place = f"[{len(partitions) - len(ahead) + len(results)}/{len(partitions)}] {result.output}"
            reporter.message(f"{place}: {result.error or f'{result.rows} rows, {counted(result.outcomes)}'}")

    with PartitionWorker(job, reporter) as worker:
        if force:
            discard(partitions)
        worker.agree(partitions[0])
        ahead += [partition for partition in partitions if not partition.output.exists()]
        if len(ahead) < len(partitions):
            reporter.message(f"{len(partitions) - len(ahead)} of {len(partitions)} files are done already")
        if job.scale.engine == "local":
            follow(map(worker.work, ahead))
    if job.scale.engine == "ray" and ahead:
        opened = partial(PartitionWorker, job, Reporter())
        follow(work_on_actors(ahead, opened, actors=job.scale.actors, gpus=job.scale.gpus_per_actor))
        for result in results:
            worker.budget.add(result.requests, result.spent, result.doubtful)
    failed = [result for result in results if result.error]
    if len(results) < len(ahead) or failed:
        seen = {result.output for result in results}
        lost = [str(partition.output) for partition in ahead if partition.output not in seen]
        first = failed[0].error if failed else f"{lost[0]}: its actors died, or failed (see above)"
        raise UnfinishedError(
            f"{len(failed) + len(lost)} of {len(partitions)} files are not finished; the same command continues with "
            f"them. The first: {first}",
            failed[0].exit_code if failed else 4,
        )
    return results, worker.budget


@overload
def rerank(candidates: str | Path, output: str | Path, **arguments: Any) -> Reranked: ...  # noqa: ANN401 - as below
@overload
def rerank(
    candidates: Iterable[Case] | ArrowTable | DataFrame,
    output: None = None,
    **arguments: Any,  # noqa: ANN401
) -> list[Ranking]: ...
def rerank(
    candidates: str | Path | Iterable[Case] | ArrowTable | DataFrame,
    output: str | Path | None = None,
    *,
    prompt: str | Path | PromptSettings | None = None,
    model: str | ModelSettings | None = None,
    seed: int = 0,
    skip_bad_rows: bool = False,
    force: bool = False,
    progress: bool | Reporter = True,
    **settings: Any,
) -> Reranked | list[Ranking]:
    """Rerank a candidate file into a file, a folder of them into a folder, or Cases or a table into Rankings.

    Files: each row comes out again with `ranking`, `scores`, `outcome`, `repairs`, `usage`. What a model did not place
    follows in recall order. The same call continues a job that was stopped.

    Args:
        candidates: Path of a candidate file or a folder of them; Cases; or a table with the columns of a candidate file
            (pandas, polars, pyarrow).
        output: Path to write; None for Cases and tables, whose Rankings are returned in their order.
        prompt: Name or path of a template, or all settings of the prompt.
        model: Name of the model, or all settings of the backend.
        seed: For shuffles, shots and sampling.
        skip_bad_rows: Leave out rows that have faults, and count them.
        force: Begin again, whatever exists.
        progress: Whether to show a bar; or who is told instead.
        settings: Any field of `PromptSettings`, `ModelSettings`, `Limits` and `ScaleSettings`, by name.

    Raises:
        InputError: something in the input is wrong, or the output exists and was made with other settings.
        TooManyErrorsError: more rows failed than `max_error_rate` allows; the same call asks for them again.
    """
    setup, (scale,) = Setup.of(
        ScaleSettings,
        prompt=prompt,
        model=model,
        beside=("output", "force", "progress", "seed", "skip_bad_rows"),
        **settings,
    )
    job, reporter = RerankJob(setup, scale, seed, skip_bad_rows), reporter_of(progress)
    if isinstance(candidates, str | Path):
        if output is None:
            raise InputError("a file is reranked into a file", field="output", hint="name the file to write")
        return rerank_files(Path(candidates), Path(output), job, force=force, reporter=reporter)
    if output is not None:
        hint = "leave it out, or name a candidate file in the place of the Cases"
        raise InputError("the Rankings of Cases are returned, and not written", field="output", hint=hint)
    if isinstance(candidates, ArrowTable | DataFrame):
        table = CandidateFile(candidates, truth="ignored", skip_bad_rows=skip_bad_rows)
        for note in table.summary.notes():
            reporter.message(note)
        candidates = table.cases()
    cases = checked_cases(candidates)
    job.check_task(sum(case.target is not None for case in cases), None)
    with setup.session(reporter.message) as session:
        method = setup.method(session, TrainingData(lambda: cases), seed).without_truth()
        session.check(method.ranker.needs(max((len(case.candidates) for case in cases), default=0)))
        return session.rankings(cases, method, reporter)
