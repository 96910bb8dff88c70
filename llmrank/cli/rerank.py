"""`llmrank rerank IN -o OUT`: candidate files in, reranked files out; no ground truth is needed or looked at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmrank.cli.options import (
    BackendOptions,
    PromptOptions,
    ScaleOptions,
    backend_options,
    config_option,
    dry_run_option,
    json_option,
    option,
    prompt_options,
    scale_options,
)
from llmrank.errors import InputError, UnfinishedError
from llmrank.types import Outcome, Usage

if TYPE_CHECKING:
    from llmrank.cli.backend import Connection
    from llmrank.cli.reranking import Reranking
    from llmrank.data.candidates import CandidateFile
    from llmrank.engine import Budget
    from llmrank.scale import Partition, Result


@click.command()
@click.argument("candidates", type=click.Path(path_type=Path, exists=True))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Parquet, .jsonl or .jsonl.gz; or a folder."
)
@prompt_options
@backend_options
@option("--seed", default=0, show_default=True, help="For shuffles, shots and sampling.")
@scale_options
@click.option("--force", is_flag=True, help="Begin again, whatever is there.")
@dry_run_option
@json_option
@config_option
def rerank(
    candidates: Path,
    output: Path,
    prompt_options: PromptOptions,
    backend_options: BackendOptions,
    seed: int,
    scale_options: ScaleOptions,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Rerank the file CANDIDATES: each row again, with `ranking`, `scores`, `outcome`, `repairs`, `usage`.

    What a model did not place follows in the order in which it was recalled. The same command continues a run that was
    stopped.

    Of a folder every file is reranked, into a file of the same name in the folder OUTPUT, with a Store of its own in
    OUTPUT/_stores (or the folder --store). Files that are done are left alone. With --shard i/n the part of a file goes
    to a file of its own: `-o out.parquet --shard 2/4` writes out.2-of-4.parquet.
    """
    from llmrank.cli.asking import load_prompt
    from llmrank.cli.backend import connect
    from llmrank.cli.reranking import Reranking
    from llmrank.data.reranked import check_output

    reranking = Reranking(prompt_options, backend_options, seed, Path.cwd())
    if not reranking.nobody:
        load_prompt(prompt_options)
    reranking.order()
    partitions = _divide(candidates, output, scale_options, backend_options.store)
    divided = candidates.is_dir() or scale_options.shard is not None
    if not (force or divided):
        check_output(output)
    if divided:
        _refuse_what_one_process_does(backend_options, scale_options)
    if not partitions or (divided and not dry_run):
        results, budget = _rerank_partitions(reranking, partitions, scale_options, force=force)
        _show(results, budget, output, as_json=as_json)
        return
    checked = [reranking.check(partition) for partition in partitions]
    # Parts have Stores of their own, which an estimate leaves as they are.
    options = replace(backend_options, store=None) if divided else backend_options
    with connect(options, nobody=reranking.nobody) as connection:
        if dry_run:
            _estimate(reranking, partitions, checked, connection, as_json=as_json)
            return
        result = reranking.rerank(partitions[0], connection, checked[0], force=force)
    _show([result], connection.budget, output, as_json=as_json)


def _refuse_what_one_process_does(backend: BackendOptions, scale: ScaleOptions) -> None:
    if backend.batch:
        hint = "leave it out, or rerank the files one by one: a batch holds the rows of one"
        raise InputError("parts are not asked through the Batch API", field="--batch", hint=hint)
    bounds = {"requests": backend.max_requests, "total-tokens": backend.max_total_tokens, "cost": backend.max_cost}
    if scale.engine == "ray" and (given := [name for name, bound in bounds.items() if bound is not None]):
        hint = "leave it out; or use --shard i/n, where each shard keeps the bound it is given"
        raise InputError("actors have no common bound", field=f"--max-{given[0]}", hint=hint)


def _divide(candidates: Path, output: Path, options: ScaleOptions, store: Path | None) -> list[Partition]:
    """Return the parts that this command is to do: of a file without --shard, the one that it is."""
    from llmrank.cli.backend import default_store
    from llmrank.data.candidates import file_format
    from llmrank.scale import Partition, Shard, partition_file, partition_folder

    shard = None if options.shard is None else Shard.parse(options.shard)
    if candidates.is_dir():
        partitions = partition_folder(candidates, output, shard=shard, stores=store)
        if not partitions:
            click.echo(f"there are more shards than files, and none is left for {shard}", err=True)
        return partitions
    if options.engine == "ray":
        raise InputError(
            "the actors share the files of a folder, and this is one file",
            path=candidates,
            field="--engine",
            hint="divide it into a folder of files, or use --shard i/n",
        )
    file_format(output)
    if shard is not None:
        return [partition_file(candidates, output, shard, store)]
    return [Partition(candidates, output, store or default_store())]


def _estimate(
    reranking: Reranking,
    partitions: Sequence[Partition],
    checked: Sequence[CandidateFile],
    connection: Connection,
    *,
    as_json: bool,
) -> None:
    from llmrank.cli.backend import show_estimate

    # Shots from the other files may be longer or shorter; it is an estimate.
    ranker, _ = reranking.ranker(partitions[0].source, connection.backend)
    cases = (row.case for row in chain.from_iterable(map(reranking.rows, partitions, checked)))
    show_estimate(cases, ranker, reranking.order(), connection, as_json=as_json)


def _rerank_partitions(
    reranking: Reranking, partitions: Sequence[Partition], options: ScaleOptions, *, force: bool
) -> tuple[Sequence[Result], Budget]:
    """Return the Results of the partitions that were not done yet, and what was spent; say on stderr how each ended.

    Raises UnfinishedError: once the others are done, for what is wrong with some; at once, for what is wrong with all.
    """
    from llmrank.cli.reranking import PartitionWorker
    from llmrank.engine import Budget
    from llmrank.scale import discard
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
            click.echo(f"{place}: {result.error or f'{result.rows} rows, {_counts(result.outcomes)}'}", err=True)

    with PartitionWorker(reranking, progress=True) as worker:
        if force:
            discard(partitions)
        worker.agree(partitions[0])
        ahead += [partition for partition in partitions if not partition.output.exists()]
        if len(ahead) < len(partitions):
            click.echo(f"{len(partitions) - len(ahead)} of {len(partitions)} files are done already", err=True)
        if options.engine == "local":
            follow(map(worker.work, ahead))
    if options.engine == "ray" and ahead:
        opened = partial(PartitionWorker, reranking, progress=False)
        follow(work_on_actors(ahead, opened, actors=options.actors, gpus=options.gpus_per_actor))
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


def _show(results: Sequence[Result], budget: Budget, output: Path, *, as_json: bool) -> None:
    output = results[0].output if len(results) == 1 else output  # a shard's file has a name of its own
    rows, calls = sum(result.rows for result in results), sum(result.calls for result in results)
    outcomes = sum((Counter(result.outcomes) for result in results), Counter[str]())
    usage = sum((result.usage for result in results), Usage())
    if as_json:
        tokens = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
        result = {"rows": rows, "output": str(output), "outcomes": outcomes, "calls": calls}
        click.echo(json.dumps(result | budget.to_dict() | tokens))
        return
    click.echo(f"{output}: {rows} rows. This time: {_counts(outcomes)}; {calls} calls, {budget.describe()}.")


def _counts(outcomes: Mapping[str, int]) -> str:
    return " · ".join(f"{outcome} {outcomes.get(outcome, 0)}" for outcome in Outcome)
