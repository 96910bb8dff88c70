"""`llmrank rerank IN -o OUT`: a candidate file in, a reranked file out; no ground truth is needed or looked at."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmrank.cli.options import (
    BackendOptions,
    PromptOptions,
    backend_options,
    config_option,
    dry_run_option,
    json_option,
    option,
    prompt_options,
)
from llmrank.types import Case, Failure, Outcome, Usage

if TYPE_CHECKING:
    from llmrank.data.candidate_row import CandidateRow


@click.command()
@click.argument("candidates", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Parquet, .jsonl or .jsonl.gz.")
@prompt_options
@backend_options
@option("--seed", default=0, show_default=True, help="For shuffles, shots and sampling.")
@option("--allow-empty-history", is_flag=True, help="Accept rows that have no history.")
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
    allow_empty_history: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Rerank the file CANDIDATES: each row again, with `ranking`, `scores`, `outcome`, `repairs`, `usage`.

    What a model did not place follows in the order in which it was recalled. The same command continues a run that was
    stopped.
    """
    from llmrank.cli.asking import FileHistories, asks_nobody, load_prompt, make_method
    from llmrank.cli.backend import connect, refuse_errors, show_estimate
    from llmrank.cli.progress import Progress
    from llmrank.data.candidates import check_candidates, check_free, read_rows
    from llmrank.data.reranked import RerankedWriter
    from llmrank.engine import Ranked, rank_all
    from llmrank.rankers.needs import needs_of
    from llmrank.rankers.order import Order

    template = None if asks_nobody(prompt_options) else load_prompt(prompt_options)
    order = Order.parse(prompt_options.order, seed)
    check_free(output, overwrite=force)
    rows = check_candidates(candidates, allow_empty_history=allow_empty_history).rows
    histories = FileHistories(candidates, allow_empty_history)

    def read() -> Iterator[CandidateRow]:
        return read_rows(candidates, allow_empty_history=allow_empty_history, checked=True)

    with connect(backend_options, nobody=template is None) as connection:
        method = make_method(template, prompt_options, histories, seed=seed, room=connection.room())
        ranker = method.ranker
        # Two are enough to see whether log-probabilities are needed; each list is checked again as it is asked.
        connection.check(needs_of(ranker, 2), ask=not dry_run)
        if dry_run:
            show_estimate((row.case for row in read()), ranker, order, connection, as_json=as_json)
            return
        settings = {
            **method.settings,
            "backend": dict(connection.backend.identity),
            "seed": seed,
            "candidates_sha256": _sha256(candidates),
        }
        outcomes, usage, failed = Counter[str](), Usage(), 0
        under_way: dict[str, CandidateRow] = {}
        with (
            RerankedWriter(output, settings=settings, overwrite=force) as writer,
            Progress(rows, len(writer), spent=connection.budget.describe) as progress,
        ):

            def wanted() -> Iterator[Case]:
                for row in read():
                    if row not in writer:
                        under_way[row.case.user_id] = row
                        yield row.case

            def done(ranked: Ranked) -> None:
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
                progress.add(ranked.ranking.outcome)

            caller = connection.caller()
            if len(writer) < rows:
                connection.run(rank_all(wanted(), ranker, caller, arrange=order.arrange, done=done))
            refuse_errors(failed, rows, backend_options.max_error_rate, "the same command asks for them again")
            writer.finish()
    result = {"rows": rows, "output": str(output), "outcomes": dict(outcomes), "calls": caller.calls}
    result |= connection.budget.to_dict()
    if as_json:
        click.echo(
            json.dumps(result | {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens})
        )
        return
    counts = " · ".join(f"{outcome} {outcomes[outcome]}" for outcome in Outcome)
    click.echo(f"{output}: {rows} rows. This time: {counts}; {caller.calls} calls, {connection.budget.describe()}.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
