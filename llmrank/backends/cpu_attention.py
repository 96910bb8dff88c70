"""vLLM's CPU attention in KV blocks of 16 tokens.

The prefix cache shares whole blocks, so the last, partial block of a user's common prefix is computed again for each
candidate: half a block on average. vLLM's CPU backend declares block sizes that are multiples of 32. Its x86 kernels
also support 16 (`vec16`, used for some head sizes) and are selected by the block size alone, so only the declaration
has to change. Asking about twenty candidates then computes 1.14 times the tokens that differ, instead of 1.34
(results/benchmarks.md).

vLLM's worker imports this module because of `WorkerExtension`; importing it registers the class.
"""

from __future__ import annotations

from vllm.v1.attention.backend import MultipleOf
from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend
from vllm.v1.attention.backends.registry import AttentionBackendEnum, register_backend


@register_backend(AttentionBackendEnum.CPU_ATTN)
class SmallBlockBackend(CPUAttentionBackend):
    """The CPU backend, which also accepts blocks of 16."""

    @staticmethod
    def get_supported_kernel_block_sizes(kv_cache_spec: object = None) -> list[int | MultipleOf]:
        """Return what the block size must be a multiple of."""
        return [MultipleOf(16)]


class WorkerExtension:
    """Adds nothing to the worker; naming it makes the worker import this module."""
