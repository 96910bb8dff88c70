"""Retries: how long to wait, when to give up a call, and when to give up the endpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from random import random

from llmrank.engine.clock import Clock
from llmrank.errors import FatalBackendError, TransientError, count_of
from llmrank.progress import Say, duration, silent

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds of backoff: the first wait, doubled after each failure up to the longest."""
LONG_WAIT = 10.0
"""Seconds of a requested wait from which the user is told."""
SEVERAL = 5
"""Number of failing Cases from which the endpoint is blamed rather than the Cases."""
GO_ON = "check the endpoint, then run the same command again: all answers are stored"
NO_ENDPOINT = (
    "correct --base-url (it usually ends in /v1), or check the server and any proxy in front of it; then run the same "
    "command again"
)
RATE_WINDOW = 65.0
"""Seconds for which refused calls (429) are retried before any call was answered. Rates are counted by the minute, and
an earlier command may have used up this one."""
MANY = 100
"""Consecutive Cases without an answer after which the run stops rather than waste more calls."""
MAX_FAILING = 1000
"""Number of failing Cases that are tracked, so that memory stays bounded while a service's endpoint is down."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long to retry."""

    attempts: int = 6
    """Failures after which a call is given up."""
    patience: float = 3600.0
    """Maximum seconds of an outage of an endpoint that answered before, and of a wait that it requests."""


@dataclass(slots=True)
class Tries:
    """The failures of one call so far."""

    case_task: object
    """The Case (a task) that made the call."""
    since: float
    """When it first failed."""
    answers: int
    """`Retries.answers` at its last failure; initially, when it was first sent."""
    faults: int = 0
    common: int = 0
    """Those of the `faults` that happened since the last answer to any call, while several Cases were failing."""
    refusals: int = 0
    """Consecutive refusals (429) during which no call was answered."""
    outage: bool = False
    """Whether it is waiting for the end of an outage."""
    alone: bool = False
    """Whether a test request was answered since the last answer to any call: the endpoint is up."""


@dataclass(slots=True)
class Retries:
    """The retry rules shared by all calls of a run.

    1. *The wait* is the endpoint's Retry-After, but at least 0.5, 1, 2 … 30 s. It is randomised so that callers do not
       all return at once, and long enough that a brief failure does not use up a call's attempts. The call holds no
       slot while it waits, and another Case starts in its place.
    2. *A refusal (429, or a 5xx that says `busy`)* is due to the number of calls, not to the call. The call waits, then
       goes first; if refusals are too frequent to be chance, all calls wait (`Limit`). A refusal counts against the
       call only if no call was answered since its previous one. So under heavy throttling a call waits while others
       succeed, but at most for `patience`.
    3. *Any other failure* counts, unless it turns out to be part of an outage: several Cases were failing, and then a
       call was answered. After `attempts` failures the call is given up and its Case ends with an error. The run goes
       on, and the same command sends the request again.
    4. *An outage* is not the fault of any call. If no call was answered since the call's last failure, and it is
       refused, its model is loading or several Cases are failing, no call is given up: each is retried every half
       minute until one is answered, for at most `patience`. So an endpoint that is down for ten minutes in the second
       night costs ten minutes, not the thousands of Cases that could have failed meanwhile. If an endpoint that
       answered before answers a short test request now, there is no outage, and the call gets one last attempt. Model
       output that is not an answer is not an outage, because each attempt may be billed: it counts, and a hundred such
       Cases in a row end the run.
    5. *The end.* The run stops with one error when several Cases are failing and either the patience is exhausted, no
       call was ever answered (unless the model is loading, or all are refused for a minute at most), or the endpoint
       requests a wait longer than that. All answers are stored; the same command continues.
    6. *Not an endpoint.* If every reply so far is something other than an answer (a sign-in page, a stream), the URL is
       taken to be wrong after the second attempt, because these attempts may be billed.

    So every run ends: a call is retried every half minute for at most `patience`, or else `attempts` times.
    """

    policy: RetryPolicy
    clock: Clock
    say: Say = silent
    counts: Counter[str] = field(default_factory=Counter[str])
    """Number of retries by kind of failure."""
    answers: int = 0
    """Number of answered calls."""
    _answered_at: float = -inf
    _failing: dict[object, TransientError] = field(default_factory=dict[object, TransientError])
    """The Cases that failed since the last answer to any call, with their latest failure."""
    _reported: bool = False

    def answered(self) -> None:
        """Record that a call was answered."""
        self.answers += 1
        self._answered_at = self.clock.now()
        if self._failing:
            self._failing.clear()
            self._reported = False

    def fault_of(self, case_task: object) -> str:
        """Return the last failure of a Case that is waiting for a retry, on one line; empty if there is none."""
        return " ".join(str(self._failing.get(case_task, "")).split())

    async def wait(self, tries: Tries, fault: TransientError, is_up: Callable[[], Awaitable[bool]]) -> float | None:
        """Return the seconds to wait before the retry, in addition to any pause that the endpoint imposes on all calls;
        None if the call is given up. Raises FatalBackendError if the endpoint is given up.

        `is_up` tests whether the endpoint answers others.
        """
        none_answered = self.answers == tries.answers
        self._record(tries, fault, none_answered)
        if tries.faults > 1 and len(self._failing) >= SEVERAL and self._never_readable(fault):
            raise self._endpoint_down(fault, NO_ENDPOINT)
        requested = fault.wait or 0.0
        wait = 0.0 if fault.throttled else max(backoff(tries.faults), requested)
        since = tries.since if fault.throttled else self._silent_since(tries)
        exhausted = self.clock.now() + max(wait, requested) - since > self.policy.patience
        if exhausted or max(tries.refusals, tries.faults) >= self.policy.attempts:
            others_fail = none_answered and self._several_fail(fault) and not tries.alone
            if others_fail and self.answers and not (fault.throttled or fault.loading) and await is_up():
                tries.alone = True  # the fault is its own: one last attempt, at once
                wait = 0.0
            elif self._waits_for_the_end(tries, fault, others_fail, none_answered, exhausted):
                cold = not (self.answers or fault.loading)
                wait = max(wait, LONGEST_WAIT / (3 if cold else 1) * (0.5 + random()))
                most = RATE_WINDOW if cold else self.policy.patience
                self._report(f"no call is answered; retrying for {duration(most)} ({fault})")
            else:
                return None
        elif requested >= LONG_WAIT:
            self._report(f"the endpoint requests a wait of {requested:.0f} s ({fault})")
        self.counts[fault.kind] += 1
        return wait

    def _record(self, tries: Tries, fault: TransientError, none_answered: bool) -> None:
        """Count a failure. `none_answered`: no call was answered since the previous failure of this one."""
        tries.answers = self.answers
        if not none_answered:
            # If there was an outage, it is over, and its failures were not the fault of this call.
            tries.faults -= tries.faults if tries.outage else tries.common
            tries.outage, tries.alone, tries.common = False, False, 0
        if len(self._failing) < MAX_FAILING:
            self._failing[tries.case_task] = fault
        if fault.throttled:
            tries.refusals = tries.refusals + 1 if none_answered else 0
        else:
            tries.faults += 1
            tries.common += none_answered and self._several_fail(fault)

    def _waits_for_the_end(
        self, tries: Tries, fault: TransientError, others_fail: bool, none_answered: bool, exhausted: bool
    ) -> bool:
        """Return whether a call without attempts or patience left waits for the end of an outage.

        Raises FatalBackendError if the outage has lasted too long, or a hundred Cases in a row got no answer.
        """
        tries.outage = others_fail or (none_answered and (fault.throttled or fault.loading))
        if none_answered and not others_fail and len(self._failing) >= MANY:
            message = f"{len(self._failing)} Cases in a row got no readable answer ({fault})"
            raise FatalBackendError(f"{message}\n  hint: {GO_ON}")
        refused = fault.throttled and self.clock.now() - tries.since < RATE_WINDOW
        over = exhausted or not (self.answers or fault.loading or refused)
        if over and others_fail:
            raise self._endpoint_down(fault, GO_ON, self.clock.now() - self._silent_since(tries))
        return tries.outage and not over

    def _several_fail(self, fault: TransientError) -> bool:
        """Return whether so many Cases fail that the endpoint is to blame. Output that is no answer is the model's."""
        return len(self._failing) >= SEVERAL and fault.kind != "no_answer"

    def _silent_since(self, tries: Tries) -> float:
        """Return when the last call was answered, or when this one first failed if that was later."""
        return max(tries.since, self._answered_at)

    def _endpoint_down(self, fault: TransientError, hint: str, silence: float = 0.0) -> FatalBackendError:
        """Return the error that ends the run. `silence` is the seconds since the last answer, if there was one."""
        last = f"the last answer came {silence:.0f} s ago" if self.answers else "no call was answered so far"
        failing = count_of(len(self._failing), "Case is", "Cases are")
        message = f"the endpoint does not answer: {failing} failing, and {last} ({fault})"
        if (fault.wait or 0.0) + silence > self.policy.patience and (requested := long_wait(fault)):
            message += requested
            hint = "run the same command again after that: all answers are stored"
        return FatalBackendError(f"{message}\n  hint: {hint}")

    def _never_readable(self, fault: TransientError) -> bool:
        """Return whether all replies so far, including this one, were something other than an answer."""
        return fault.came and not self.answers and {*self.counts} <= {"unreadable", "no_answer"}

    def _report(self, line: str) -> None:
        if not self._reported:
            self._reported = True
            self.say(line)


def long_wait(fault: TransientError) -> str:
    """Return what to add to a failure whose endpoint requests a long wait; else an empty string."""
    wait = fault.wait or 0.0
    return f"; it requests a wait of {duration(wait)}" if wait >= LONG_WAIT else ""


def backoff(faults: int) -> float:
    """Return the backoff in seconds after that many failures, for an endpoint that requests no wait."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (faults - 1)) * (0.5 + random())
