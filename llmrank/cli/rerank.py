"""`llmrank rerank IN -o OUT`: candidate files in, reranked files out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli import options
from llmrank.cli.output import show
from llmrank.evaluation.settings import RERANK_HELP, CaseSettings, Limits, ModelSettings, PromptSettings, ScaleSettings


@click.command(
    cls=options.GroupedCommand,
    epilog="""\b
Examples:
  llmrank rerank candidates.parquet -o reranked.parquet
  llmrank rerank candidates/ -o reranked/ --prompt rankgpt --model qwen3-8b
  llmrank rerank in.jsonl -o out.jsonl --ranker setwise --max-requests 10000
""",
)
@click.argument("candidates", type=options.FilePath(exists=True))
@click.option("-o", "--out", required=True, type=options.PATH, help="Parquet, .jsonl or .jsonl.gz; or a folder.")
@options.settings_options(PromptSettings, "prompt and method", here=RERANK_HELP)
@options.settings_options(ModelSettings, "model")
@options.settings_options(Limits, "cost")
@options.settings_options(ScaleSettings, "scale")
@options.option("--seed", default=CaseSettings().seed, show_default=True, help="Seed for shuffles, shots and sampling.")
@options.skip_bad_rows_option
@click.option("--force", "overwrite", is_flag=True, help="Start over, replacing existing output.")
@options.dry_run_option
@options.json_option
@options.config_option
def rerank(
    candidates: Path,
    out: Path,
    seed: int,
    skip_bad_rows: bool,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Rerank the file CANDIDATES, adding `ranking`, `scores`, `outcome`, `repairs` and `usage` to each row.

    Candidates that the model did not rank follow in recall order. Run the same command again to continue a stopped job.

    For a folder, every file is reranked into a file of the same name in the folder --out, with its own Store in its
    folder _stores (or in --store). Finished files are skipped. With --shard, each part of a file gets its
    own output: `-o out.parquet --shard 2/4` writes out.2-of-4.parquet.
    """
    from llmrank.evaluation.rerank import RerankJob, estimate_rerank, rerank_files
    from llmrank.evaluation.setup import Setup
    from llmrank.progress import Progress

    prompt, model = options.settings_from(PromptSettings, values), options.settings_from(ModelSettings, values)
    limits, scale = options.settings_from(Limits, values), options.settings_from(ScaleSettings, values)
    setup, _ = Setup.of(prompt=prompt, model=model, limits=limits)
    job = RerankJob(setup, scale, seed, skip_bad_rows)
    if dry_run:
        show(estimate_rerank(candidates, out, job, Progress(), overwrite=overwrite), as_json=as_json)
        return
    show(rerank_files(candidates, out, job, overwrite=overwrite, reporter=Progress()), as_json=as_json)
