"""vLLM's CPU attention in KV blocks of 16 tokens.

The prefix cache shares whole blocks, so of what a user's prompts have in common up to a block is computed again for
each candidate: half a block on average. vLLM's CPU backend declares multiples of 32 to be its blocks. Its x86 kernels
also work in 16 (`vec16`, which it takes for some head sizes), and choose that by the block size alone, so the
declaration is all that has to change. Asking about twenty candidates then computes 1.14 times the tokens that are
different, not 1.34 (results/benchmarks.md).

This module is for vLLM's worker, which imports it for the sake of `WorkerExtension`: importing it registers the class.
"""

from __future__ import annotations

from vllm.v1.attention.backend import MultipleOf
from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend
from vllm.v1.attention.backends.registry import AttentionBackendEnum, register_backend


@register_backend(AttentionBackendEnum.CPU_ATTN)
class SmallBlockBackend(CPUAttentionBackend):
    """The CPU backend, also for blocks of 16."""

    @staticmethod
    def get_supported_kernel_block_sizes(kv_cache_spec: object = None) -> list[int | MultipleOf]:
        """Return what a block must be a multiple of."""
        return [MultipleOf(16)]


class WorkerExtension:
    """Adds nothing to the worker: naming it makes the worker import this module."""
