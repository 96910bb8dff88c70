"""`variance`: each Case in several orders, asked several times, in several wordings."""

from __future__ import annotations

from functools import partial

from llmrank.audit import Design, Source, variance
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import VarianceOptions
from llmrank.evaluation.audits.paraphrase import changing_wording
from llmrank.evaluation.audits.plan import AuditPlan, Change, as_it_is, asking
from llmrank.evaluation.evaluate import Evaluation
from llmrank.rankers.order import Order

USUAL_DRAWS = 2


def plan_variance(evaluation: Evaluation, options: VarianceOptions) -> AuditPlan:
    """Return what is asked: the Run of `eval`, and those of other orders, draws and wordings.

    Raises InputError where nothing but the users would differ, and for draws of a temperature above 0 that are not
    told from orders.
    """
    prompt, not_asked = evaluation.setup.prompt, dict[Source, str]()
    wordings = changing_wording(evaluation, "variance", options.wording) if options.wording else {"": as_it_is}
    temperature = _temperature(evaluation)
    orders, draws = options.orders, options.draws or (USUAL_DRAWS if temperature else 1)
    order = Order.parse(prompt.order)
    if not order.is_shuffled:
        orders, not_asked["orders"] = 1, f"the order is {order}"
    elif prompt.options.repeats > 1:
        orders, not_asked["orders"] = 1, "--repeats shows orders of its own"
    elif orders == 1:
        not_asked["orders"] = "there is one"
    if draws == 1:
        if temperature and orders > 1:
            hint = "ask twice or more: --draws 2"
            raise InputError("one draw cannot be told from the order", field="draws", hint=hint)
        not_asked["draws"] = "the temperature is 0" if temperature == 0 else "there is one"
    if len(wordings) == 1:
        not_asked["wordings"] = "there is one"
    if len(not_asked) == len(("orders", "draws", "wordings")):
        hint = "show the candidates shuffled, in --orders 2 or more, ask in --draws 2, or give another --wording"
        raise InputError("nothing would be drawn again", field="orders", hint=hint)
    design = Design(tuple(wordings), orders, draws)
    changes: dict[str, Change] = {
        name: partial(_drawn, wordings[wording], f"shuffled-{order.number + at}" if at else None, prompt.draw + draw)
        for name, (wording, at, draw) in design.cells.items()
    }
    return AuditPlan(changes, lambda runs: variance(runs, design, not_asked))


def _drawn(word: Change, order: str | None, draw: int, evaluation: Evaluation) -> Evaluation:
    """Return the evaluation in another wording, in another order (None: its own), for the draw of that number."""
    return asking(word(evaluation), order=order, draw=draw)


def _temperature(evaluation: Evaluation) -> float | None:
    """Return the temperature of the answers; None for a method that asks with no template of ours."""
    setup = evaluation.setup
    if setup.template is None:
        return None
    given = setup.prompt.temperature
    return setup.template.front.sampling.temperature if given is None else given
