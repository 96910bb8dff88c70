"""Past one machine: how a candidate file or a folder of them is divided, and the actors that do the parts.

A part is always a whole output file of its own, so that doing it twice is harmless and what is done can be left alone.
"""

from llmrank.scale.partition import Partition, Result, discard, documents, partition_file, partition_folder
from llmrank.scale.shard import Shard

__all__ = ["Partition", "Result", "Shard", "discard", "documents", "partition_file", "partition_folder"]
