"""The Run: a folder holding the settings, the Cases, one record per Case and the metrics; and the object to read it."""

from llmrank.run.compare import Comparison, compare
from llmrank.run.folder import Origin, RunFolder, read_manifest, read_records
from llmrank.run.metrics import Metrics, MetricSettings
from llmrank.run.pareto import Pareto, pareto
from llmrank.run.record import CaseRecord
from llmrank.run.run import CaseStory, Run, load_run, run_of

__all__ = [
    "CaseRecord",
    "CaseStory",
    "Comparison",
    "MetricSettings",
    "Metrics",
    "Origin",
    "Pareto",
    "Run",
    "RunFolder",
    "compare",
    "load_run",
    "pareto",
    "read_manifest",
    "read_records",
    "run_of",
]
