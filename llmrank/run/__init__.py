"""The Run: a folder that holds the settings, one line per Case, and the numbers."""

from llmrank.run.folder import RunFolder
from llmrank.run.record import CaseRecord

__all__ = ["CaseRecord", "RunFolder"]
