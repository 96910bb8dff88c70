"""Does what an item is called in the prompt decide?"""

from __future__ import annotations

from collections.abc import Mapping

from llmrank.audit.contrast import Contrast
from llmrank.audit.finding import Audit
from llmrank.run import Run

SAID: Mapping[str, str] = {"item_id": "item ids"}
"""The identifier schemes whose names are no words."""


def identifiers(runs: Mapping[str, Run], left_out: Mapping[str, str] | None = None) -> Audit:
    """Return the headline measure under each identifier scheme, and how far the others differ from the prompt's own.

    Beside the differences, which are paired on users: Kendall's tau of the ranks, the overlap of the tops, and the
    share of answers that cannot be read, which count as worst.

    Args:
        runs: By identifier scheme, the prompt's own first.
        left_out: The schemes that the method cannot use, and why.

    Raises:
        InputError: no relevant item is known, or the Runs have no Case in common.
    """
    own = _said(next(iter(runs)))
    found = Contrast.of(runs)
    reasons = "; ".join(f"{_said(name)} ({why})" for name, why in (left_out or {}).items())
    return found.audit(
        "Does what an item is called in the prompt decide?",
        lambda name: f"naming items by {_said(name)} rather than {own}",
        _said,
        remark=f" Left out: {reasons}." if reasons else "",
    )


def _said(scheme: str) -> str:
    return SAID.get(scheme, scheme)
