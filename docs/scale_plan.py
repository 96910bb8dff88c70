"""The arithmetic of docs/scale.md: `python docs/scale_plan.py | python results/into_page.py docs/scale.md plan`.

Every number below is measured here, published (see the page), or assumed. Change a number to update the table.
"""

from __future__ import annotations

from dataclasses import dataclass

USERS = 100_000_000
GPUS = 64
EFFICIENCY = 0.9
"""Assumption, for start-up, the tail of the last files, and lost actors."""
CALLS_A_SECOND = 1000
"""Assumption, for one actor's process. Measured: 1,300 over HTTP with nothing else to do."""
ROWS_A_SECOND = 150
"""For one actor's process. Measured: reading, checking, prompting, parsing and writing take 6 ms a row."""


@dataclass(frozen=True)
class Method:
    """The cost of one user with 50 candidates; tokens measured on ML-100K, 20 events shown."""

    name: str
    computed: int
    """Prompt tokens that are not in the prefix cache from another call of the user."""
    decoded: int
    calls: int
    answer_bytes: int
    """In the Store, per call; assumed for first_token, measured for the others."""


@dataclass(frozen=True)
class Gpu:
    """The performance and the price of a GPU."""

    name: str
    teraflops: float
    """Dense bf16, from its data sheet."""
    decode_8b: int
    """Assumption: tokens per second of an 8B model, in batches of 256."""
    dollars: float
    """Per hour; assumption."""


METHODS = (
    Method("first_token", 1180, 1, 1, 6000),
    Method("listwise, whole list", 1294, 240, 1, 4700),
    Method("listwise, top 10", 1294, 40, 1, 4700),
    Method("pointwise", 1837, 50, 50, 4700),
    Method("pointwise, no prefix cache", 19_782, 50, 50, 4700),
)
GPU_KINDS = (Gpu("H100", 989, 10_000, 3.0), Gpu("A100", 312, 5_000, 2.0))
# Billions of parameters, and the assumed share of the peak that prefill reaches: small matrices use it less well.
MODELS = ((1, 0.25), (3, 0.35), (8, 0.40))


def seconds_a_user(method: Method, gpu: Gpu, billions: float, share: float) -> float:
    """Return the GPU seconds per user: 2 operations per parameter and token, then decoding."""
    prefill = gpu.teraflops * 1e12 * share / (2 * billions * 1e9)
    return method.computed / prefill + method.decoded / (gpu.decode_8b * 8 / billions)


def plan(method: Method, gpu: Gpu, billions: float, share: float) -> str:
    """Return users per second and GPU (`*`: the actor's process is the limit), hours, and dollars."""
    by_gpu = 1 / seconds_a_user(method, gpu, billions, share)
    by_process = min(ROWS_A_SECOND, CALLS_A_SECOND / method.calls)
    rate = min(by_gpu, by_process)
    hours = USERS / (GPUS * rate * EFFICIENCY) / 3600
    mark = "*" if by_process < by_gpu else " "
    return f"{rate:>13.1f}{mark}{hours:>7.0f}{hours * GPUS * gpu.dollars:>9,.0f}"


def main() -> None:
    """Print the table."""
    print(f"{USERS:,} users x 50 candidates on {GPUS} GPUs, an actor each")
    print(f"{'':35}" + "".join(f"{gpu.name + ': users/s  hours  dollars':>30}" for gpu in GPU_KINDS) + "  Store, TB")
    for method in METHODS:
        for billions, share in MODELS:
            kinds = "".join(plan(method, gpu, billions, share) for gpu in GPU_KINDS)
            store = USERS * method.calls * method.answer_bytes / 1e12
            print(f"{method.name:28}{billions:>2}B    {kinds}{store:>11.1f}")


if __name__ == "__main__":
    main()
