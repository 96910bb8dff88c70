"""Scaling beyond one machine: dividing a candidate file or a folder of them, and Ray actors that do the parts.

Each part has its own output file, so repeating a part is harmless and finished parts can be skipped.
"""

from llmrank.scale.partition import Partition, Result, discard, documents, partition_file, partition_folder
from llmrank.scale.shard import Shard

__all__ = ["Partition", "Result", "Shard", "discard", "documents", "partition_file", "partition_folder"]
