"""The Run: a folder that holds the settings, one line per Case, and the numbers."""

from llmrank.run.folder import Origin, RunFolder, read_manifest, read_records
from llmrank.run.record import CaseRecord

__all__ = ["CaseRecord", "Origin", "RunFolder", "read_manifest", "read_records"]
