"""`llmrank rerank IN -o OUT`: candidate files in, reranked files out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli import options
from llmrank.cli.output import show
from llmrank.evaluation.settings import RERANK_HELP, Limits, ModelSettings, PromptSettings, ScaleSettings


@click.command(
    cls=options.GroupedCommand,
    epilog="""\b
Examples:
  llmrank rerank candidates.parquet -o reranked.parquet
  llmrank rerank candidates/ -o reranked/ --prompt rankgpt --model qwen3-8b
  llmrank rerank in.jsonl -o out.jsonl --ranker setwise --max-requests 10000
""",
)
@click.argument("candidates", type=click.Path(path_type=Path, exists=True))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Parquet, .jsonl or .jsonl.gz; or a folder."
)
@options.settings_options(PromptSettings, "prompt and method", here=RERANK_HELP)
@options.settings_options(ModelSettings, "model")
@options.settings_options(Limits, "cost")
@options.settings_options(ScaleSettings, "scale")
@options.option("--seed", default=0, show_default=True, help="For shuffles, shots and sampling.")
@options.option("--skip-bad-rows", is_flag=True, help="Leave out rows that have faults, and count them.")
@click.option("--force", is_flag=True, help="Begin again, whatever exists.")
@options.dry_run_option
@options.json_option
@options.config_option
def rerank(
    candidates: Path,
    output: Path,
    seed: int,
    skip_bad_rows: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
    **values: Any,  # noqa: ANN401 - the settings
) -> None:
    """Rerank the file CANDIDATES: each row again, with `ranking`, `scores`, `outcome`, `repairs`, `usage`.

    What a model did not place follows in recall order. The same command continues a job that was stopped.

    Of a folder every file is reranked, into a file of the same name in the folder OUTPUT, with a Store of its own in
    OUTPUT/_stores (or the folder --store). Files that are done are left alone. With --shard i/n the part of a file goes
    to a file of its own: `-o out.parquet --shard 2/4` writes out.2-of-4.parquet.
    """
    from llmrank.evaluation.rerank import RerankJob, estimate_rerank, rerank_files
    from llmrank.evaluation.setup import Setup
    from llmrank.progress import Progress

    prompt, model = options.settings_from(PromptSettings, values), options.settings_from(ModelSettings, values)
    limits, scale = options.settings_from(Limits, values), options.settings_from(ScaleSettings, values)
    setup, _ = Setup.of(prompt=prompt, model=model, limits=limits)
    job = RerankJob(setup, scale, seed, skip_bad_rows)
    if dry_run:
        show(estimate_rerank(candidates, output, job, Progress(), force=force), as_json=as_json)
        return
    show(rerank_files(candidates, output, job, force=force, reporter=Progress()), as_json=as_json)
