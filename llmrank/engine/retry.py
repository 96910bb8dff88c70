"""Trying again: how long to wait, when a call is given up, and when the endpoint is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import inf
from random import random

from llmrank.engine.clock import Clock
from llmrank.errors import FatalBackendError, TransientError
from llmrank.progress import Say, duration, silent

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds: the first wait of our own choosing doubles up to the longest."""
LONG_WAIT = 10.0
"""Seconds of waiting that a person is told of."""
SEVERAL = 5
"""Cases that must be failing before it is taken to be the endpoint's fault and not theirs."""
GO_ON = "see to the endpoint, then give the same command again: what was answered is stored"
MANY = 100
"""Cases in a row that a model gave no answer to: the others would be paid for in vain."""
MOST_FAILING = 1000
"""Failing Cases that are told apart: a service meets no end of them while its endpoint is away."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and how long."""

    attempts: int = 6
    """Faults after which a call is given up."""
    patience: float = 3600.0
    """Seconds that an endpoint which answered before may answer nobody; also the longest wait it may ask for."""


@dataclass(slots=True)
class Tries:
    """What one call has met so far."""

    asker: object
    """The Case that it belongs to."""
    since: float
    """When it first failed."""
    answers: int
    """Answers that others had got when it last failed; to begin with, when it was first sent."""
    faults: int = 0
    common: int = 0
    """Of the faults, those since the last answer of anybody, met while several Cases were failing."""
    refusals: int = 0
    """Refusals (429) in a row while nobody got an answer."""
    outage: bool = False
    """Whether it waits for an endpoint that answers nobody."""


@dataclass(slots=True)
class Retries:
    """The rule by which all calls of a run are tried again.

    1. *The wait* is what the endpoint asks for (Retry-After), but at least 0.5, 1, 2 … 30 s, with a random share, so
       that many callers do not come back at once, and a fault that passes within seconds does not use up a call's
       attempts. No slot is held meanwhile, and another Case is begun in its place.
    2. *A refusal (429)* says how much the endpoint takes, not that the call is bad. It waits, and where refusals are
       more than chance all calls do (`Limit`), and this one goes first. It counts against the call only if nobody got
       an answer since its last one: in a storm a call waits as long as others get through, but at most `patience`.
    3. *Any other fault* counts, unless it turns out to be one of an outage: several Cases were failing, and then
       somebody was answered. After `attempts` the call is given up, and its Case is an error: the rest goes on, and the
       same command asks for it again.
    4. *An outage* is no call's fault. Where nobody got an answer since the call's last fault, and it is refused or
       several Cases are failing, none is given up: each is tried every half minute until somebody is answered, for as
       long as `patience`. So an endpoint that is away for ten minutes in the second night costs ten minutes, not the
       thousands of Cases that could have failed meanwhile. What a model sent, and is no answer, is no outage, for each
       try may be paid for: it counts, and a hundred such Cases in a row end the run.
    5. *The end.* When several Cases are failing and patience is over, or nobody was ever answered, or the endpoint asks
       for a longer wait than that, the run stops with one error. What was answered is stored; the same command goes on.

    6. *No such endpoint.* Where all that came was no answer (a page that asks to sign in, a stream), something else is
       taken to stand there as soon as a second try shows no more: these tries may be paid for.

    So every run ends: a call is sent again every half minute for `patience` at most, else `attempts` times.
    """

    policy: RetryPolicy
    clock: Clock
    say: Say = silent
    counts: Counter[str] = field(default_factory=Counter[str])
    """Faults after which a call was sent again, by kind."""
    answers: int = 0
    """Calls that were answered."""
    _answered_at: float = -inf
    _failing: dict[object, TransientError] = field(default_factory=dict[object, TransientError])
    """The Cases that failed since anybody was answered, with what they met last."""
    _told: bool = False

    def answered(self) -> None:
        """Somebody got through."""
        self.answers += 1
        self._answered_at = self.clock.now()
        if self._failing:
            self._failing.clear()
            self._told = False

    def fault_of(self, asker: object) -> str:
        """Return what a Case that waits for another try met last, in one line; "" where it met nothing."""
        return " ".join(str(self._failing.get(asker, "")).split())

    def wait(self, tries: Tries, fault: TransientError) -> float | None:
        """Return the seconds after which the call is to be sent again, beside what the endpoint makes all calls wait;
        None: it is given up. Raises FatalBackendError when it is the endpoint that must be given up."""
        alone = self.answers == tries.answers
        tries.answers = self.answers
        if not alone:
            # An outage, if there was one, is over, and what it cost was not this call's fault.
            tries.faults -= tries.faults if tries.outage else tries.common
            tries.outage, tries.common = False, 0
        if len(self._failing) < MOST_FAILING:
            self._failing[tries.asker] = fault
        away = len(self._failing) >= SEVERAL and fault.kind != "no_answer"
        if fault.throttled:
            tries.refusals = tries.refusals + 1 if alone else 0
        else:
            tries.faults += 1
            tries.common += alone and away
        if tries.faults > 1 and len(self._failing) >= SEVERAL and self._never_understood(fault):
            hint = (
                "correct --base-url (it usually ends in /v1), or see to what stands there and before it; "
                "then give the same command again"
            )
            raise self._nobody_answered(fault, hint)
        wait = 0.0 if fault.throttled else max(own_wait(tries.faults), fault.wait or 0.0)
        now = self.clock.now()
        silent = now - max(tries.since, self._answered_at)
        since = tries.since if fault.throttled else max(tries.since, self._answered_at)
        exhausted = now + max(wait, fault.wait or 0.0) - since > self.policy.patience
        if exhausted or max(tries.refusals, tries.faults) >= self.policy.attempts:
            several = alone and away
            tries.outage = several or (alone and fault.throttled)
            if alone and not several and len(self._failing) >= MANY:
                said = f"{len(self._failing)} Cases in a row got no answer that can be read ({fault})"
                raise FatalBackendError(f"{said}\n  hint: {GO_ON}")
            if not tries.outage or (not several and (exhausted or not self.answers)):
                return None
            if exhausted or not self.answers:
                raise self._nobody_answered(fault, GO_ON, silent)
            wait = max(wait, LONGEST_WAIT * (0.5 + random()))
            self._tell(f"nobody is answered; it is tried for {self.policy.patience / 60:.0f} minutes ({fault})")
        elif (fault.wait or 0.0) >= LONG_WAIT:
            self._tell(f"the endpoint asks to wait {fault.wait:.0f} s ({fault})")
        self.counts[fault.kind] += 1
        return wait

    def _nobody_answered(self, fault: TransientError, hint: str, silent: float = 0.0) -> FatalBackendError:
        """Return the error that ends the run; `silent`: seconds since the last answer, if there was one."""
        last = f"the last answer came {silent:.0f} s ago" if self.answers else "no answer has come yet"
        said = f"the endpoint answers nobody: {len(self._failing)} Cases are failing, and {last} ({fault})"
        if (fault.wait or 0.0) > self.policy.patience:
            said += f"; it asks to wait {duration(fault.wait or 0.0)}"
            hint = "give the same command again then: what was answered is stored"
        return FatalBackendError(f"{said}\n  hint: {hint}")

    def _never_understood(self, fault: TransientError) -> bool:
        """Return whether this fault and all before it are answers that are none, and nobody got one that is."""
        return fault.came and not self.answers and {*self.counts} <= {"unreadable", "no_answer"}

    def _tell(self, line: str) -> None:
        if not self._told:
            self._told = True
            self.say(line)


def own_wait(faults: int) -> float:
    """Return the seconds that a call waits after so many faults, where the endpoint names none."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (faults - 1)) * (0.5 + random())
