"""The limit, in simulated time: what it finds out, what cuts it, what lets it grow."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from random import Random

import pytest

from llmrank.engine.limit import INITIAL_SIZE, MAX_SIZE, Limit, Slot
from llmrank.engine.pace import DIP, FEW, TOLERATED, TRIAL, Pace

from .simulated import Bucket, load, simulate


async def enter(limit: Limit, number: int) -> list[Slot]:
    return [await limit.enter() for _ in range(number)]


def test_it_doubles_after_each_round_that_reached_it_up_to_the_most() -> None:
    async def work() -> None:
        limit = Limit()
        sizes = [limit.size]
        while limit.size < MAX_SIZE:
            for slot in await enter(limit, limit.size):
                limit.answered(slot)
            sizes.append(limit.size)
        assert sizes == [INITIAL_SIZE * 2**step for step in range(len(sizes))]
        for slot in await enter(limit, MAX_SIZE):
            limit.answered(slot)
        assert limit.size == MAX_SIZE
        assert [change.why for change in limit.history] == ["start"] + ["growth"] * (len(sizes) - 1)

    simulate(work())


def test_it_does_not_grow_while_it_is_not_reached() -> None:
    async def work() -> None:
        limit = Limit()
        for _ in range(100):
            for slot in await enter(limit, INITIAL_SIZE - 1):
                limit.answered(slot)
        assert limit.size == INITIAL_SIZE

    simulate(work())


def test_an_episode_cuts_once_and_the_next_one_again() -> None:
    async def work() -> None:
        limit = Limit()
        for slot in await enter(limit, INITIAL_SIZE):
            limit.refused(slot, 0.0)
        refused = int(FEW + TOLERATED * INITIAL_SIZE) + 1
        assert limit.size == INITIAL_SIZE
        assert limit.history[-1].pace == pytest.approx((1 - DIP) * (INITIAL_SIZE - refused))
        assert [change.why for change in limit.history] == ["start", "refused"]
        for slot in await enter(limit, limit.size):
            limit.refused(slot, 0.0)
        assert [change.why for change in limit.history] == ["start", "refused"], "nobody has got through yet"
        slots = await enter(limit, limit.size)
        limit.answered(slots.pop())
        for slot in slots:
            limit.refused(slot, 0.0)
        assert [change.why for change in limit.history] == ["start", "refused", "refused"]

    simulate(work())


@pytest.mark.parametrize("faults", [0, 1, 2])
def test_other_faults_pause_the_growth_and_cut_nothing(faults: int) -> None:
    async def work() -> None:
        limit = Limit()
        slots = await enter(limit, INITIAL_SIZE)
        for slot in slots[:faults]:
            limit.faulted(slot)
        for slot in slots[faults:]:
            limit.answered(slot)
        assert limit.size == (INITIAL_SIZE if faults else 2 * INITIAL_SIZE)
        while limit.size == INITIAL_SIZE:
            for slot in await enter(limit, INITIAL_SIZE):
                limit.answered(slot)
        assert limit.size == 2 * INITIAL_SIZE

    simulate(work())


def test_one_fault_in_four_calls_leaves_it_as_it_is() -> None:
    async def work() -> None:
        limit = Limit()
        for _ in range(100):
            for number, slot in enumerate(await enter(limit, INITIAL_SIZE)):
                (limit.faulted if number % 4 == 0 else limit.answered)(slot)
        assert limit.size == INITIAL_SIZE

    simulate(work())


def test_it_stops_growing_where_calls_wait_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint with four places takes longer the more are asked at once."""
    monkeypatch.setattr("llmrank.engine.limit.MAX_SIZE", 64 * INITIAL_SIZE)

    async def work() -> Limit:
        limit = Limit()
        places = asyncio.Semaphore(4)

        async def one() -> None:
            slot = await limit.enter()
            async with places:
                await asyncio.sleep(1.0)
            limit.answered(slot)

        async with asyncio.TaskGroup() as group:
            for _ in range(2000):
                group.create_task(one())
        return limit

    assert simulate(work()).size <= 4 * INITIAL_SIZE


def test_long_answers_after_short_ones_are_no_waiting_in_line() -> None:
    async def work() -> Limit:
        limit = Limit()

        async def one(tokens: int) -> None:
            slot = await limit.enter()
            await asyncio.sleep(0.2 + tokens * 0.02)
            limit.answered(slot, tokens)

        async with asyncio.TaskGroup() as group:
            for number in range(4000):
                group.create_task(one(16 if number < INITIAL_SIZE else 400))
        return limit

    assert simulate(work()).size == MAX_SIZE


def test_a_fixed_size_stays_but_keeps_to_pauses_and_pace() -> None:
    limit, bucket = Limit(64), Bucket(50, 5, retry_after=1)
    simulate(load(limit, bucket, 60, latency=0.02))
    assert {change.size for change in limit.history} == {64}
    late = [when for when in bucket.refused if when > 30]
    assert len(late) < 0.05 * len([when for when in bucket.accepted if when > 30])


def test_nobody_is_let_in_before_the_time_that_the_endpoint_names() -> None:
    async def work() -> None:
        limit = Limit(FEW + 2)
        loop = asyncio.get_running_loop()
        *few, one_more, last = await enter(limit, FEW + 2)
        assert not any(limit.refused(slot, 30.0) for slot in few)
        assert limit.refused(one_more, 30.0)
        slot = await limit.enter()
        assert 30 <= loop.time() <= 33
        limit.answered(last)
        limit.answered(slot)

    simulate(work())


def test_a_refusal_among_answers_is_the_matter_of_its_own_call() -> None:
    """An endpoint that refuses one call in forty, however few there are, is asked as if it did not."""

    async def work() -> tuple[float, int]:
        limit, loop, done = Limit(), asyncio.get_running_loop(), 0

        async def one(number: int) -> None:
            nonlocal done
            slot = await limit.enter()
            if number % 40 == 0 and not limit.refused(slot, 1.0):
                await asyncio.sleep(1.0)
                slot = await limit.enter(first=True)
            await asyncio.sleep(0.1)
            limit.answered(slot)
            done += 1

        async with asyncio.TaskGroup() as group:
            for number in range(20_000):
                group.create_task(one(number + 1))
        return done / loop.time(), limit.size

    rate, size = simulate(work())
    assert size == 256 and rate > 0.6 * size / 0.1


@pytest.mark.parametrize(("share", "least"), [(0.01, 0.9), (0.05, 0.8), (0.1, 0.8), (0.3, 0.6), (0.5, 0.2)])
def test_an_endpoint_that_refuses_by_chance_is_not_asked_slowly_for_it(share: float, least: float) -> None:
    draw = Random(0)

    async def rate(share: float) -> float:
        limit, loop, done = Limit(), asyncio.get_running_loop(), 0

        async def one() -> None:
            nonlocal done
            slot = await limit.enter()
            while draw.random() < share:
                await asyncio.sleep(0.01)
                if not limit.refused(slot, None):
                    await asyncio.sleep(0.5)
                slot = await limit.enter(first=True)
            await asyncio.sleep(1.0)
            limit.answered(slot)
            done += 1

        tasks = set[asyncio.Task[None]]()
        while loop.time() < 40:
            while len(tasks) < 2 * limit.size:
                tasks.add(asyncio.create_task(one()))
            _, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return done / 40

    assert simulate(rate(share)) > least * simulate(rate(0.0))


def test_an_endpoint_that_takes_fewer_and_fewer_is_not_taken_for_one_that_refuses_by_chance() -> None:
    limit, bucket = Limit(), Bucket(50, 5, retry_after=1)

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(load(limit, bucket, 240, latency=0.1))
            while bucket.rate > 8:
                await asyncio.sleep(15)
                bucket.rate *= 0.8

    simulate(work())
    late = sum(when > 200 for when in bucket.refused)
    assert late < 0.1 * sum(when > 200 for when in bucket.accepted)


def test_a_call_that_was_refused_goes_first() -> None:
    async def work() -> None:
        limit, order = Limit(1), list[str]()

        async def wait(name: str, *, first: bool = False) -> None:
            slot = await limit.enter(first=first)
            order.append(name)
            limit.answered(slot)

        slot = await limit.enter()
        tasks = [asyncio.create_task(wait("new")), asyncio.create_task(wait("refused", first=True))]
        await asyncio.sleep(0)
        limit.answered(slot)
        await asyncio.gather(*tasks)
        assert order == ["refused", "new"]

    simulate(work())


def test_where_callers_give_up_the_newest_goes_first() -> None:
    async def work() -> None:
        limit, order = Limit(1), list[int]()

        async def wait(number: int) -> None:
            slot = await limit.enter()
            order.append(number)
            limit.answered(slot)

        slot = await limit.enter()
        tasks = [asyncio.create_task(wait(number)) for number in range(4)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        limit.answered(slot)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == [3, 2, 1]
        slot = await limit.enter()
        tasks = [asyncio.create_task(wait(number)) for number in range(2)]
        await asyncio.sleep(0)
        limit.answered(slot)
        await asyncio.gather(*tasks)
        assert order == [3, 2, 1, 0, 1], "once nobody waits, the oldest again"

    simulate(work())


def test_a_waiter_that_is_cancelled_takes_no_slot() -> None:
    async def work() -> None:
        limit = Limit(1)
        slot = await limit.enter()
        waiting, handed = (asyncio.create_task(limit.enter()) for _ in range(2))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        limit.answered(slot)  # hands the slot to the second waiter, which is cancelled before it runs
        handed.cancel()
        await asyncio.gather(waiting, handed, return_exceptions=True)
        assert limit.in_flight == 0
        limit.answered(await limit.enter())

    simulate(work())


STORMS = {
    "Retry-After, fast calls": (50, 5, 1.0, 0.02),
    "Retry-After, larger burst": (50, 50, 1.0, 0.02),
    "no Retry-After": (50, 5, None, 0.02),
    "slow calls": (50, 5, 1.0, 2.0),
    "slow calls, no Retry-After": (50, 5, None, 2.0),
    "a low rate": (5, 2, 1.0, 0.5),
    "a low rate, no Retry-After": (5, 2, None, 0.5),
    "a lower rate": (2, 2, 1.0, 0.5),
    "a high rate": (500, 50, 1.0, 0.2),
    "a Retry-After to the moment": (50, 5, 0.02, 0.02),
}


@pytest.mark.parametrize(("rate", "burst", "retry_after", "latency"), STORMS.values(), ids=STORMS)
def test_in_a_storm_the_allowed_rate_is_found(
    rate: float, burst: float, retry_after: float | None, latency: float
) -> None:
    limit, bucket = Limit(), Bucket(rate, burst, retry_after=retry_after)
    simulate(load(limit, bucket, 120, latency=latency))
    accepted = sum(30 <= when < 120 for when in bucket.accepted)
    refused = sum(30 <= when < 120 for when in bucket.refused)
    assert accepted >= 0.9 * rate * 90
    assert refused <= 0.05 * (accepted + refused)


BRIEF, SHORT, LONG = [(0.1, 2.0)], [(5.0, 8.0)], [(5.0, 35.0)]
FLAPPING = [(5.0, 7.0), (7.2, 9.0), (9.1, 11.0), (12.0, 14.0)]


@pytest.mark.parametrize(
    ("outages", "rate", "latency"),
    [
        *((outages, rate, 0.05) for outages in (BRIEF, SHORT, LONG, FLAPPING) for rate in (None, 10.0)),
        (LONG, 10.0, 2.0),
    ],
)
def test_after_an_outage_calls_start_as_before(
    outages: list[tuple[float, float]], rate: float | None, latency: float
) -> None:
    """A service, whose calls come one after the other, or ten a second, and have little time."""
    back, deadline = outages[-1][1] + 30, 0.75 + 1.5 * latency

    async def work() -> Counter[bool]:
        limit, loop, draw, done = Limit(), asyncio.get_running_loop(), Random(0), Counter[bool]()

        async def one() -> None:
            begin, answered = loop.time(), False
            with suppress(TimeoutError):
                async with asyncio.timeout(deadline):
                    slot = await limit.enter()
                    while any(start <= loop.time() < end for start, end in outages):
                        if not limit.refused(slot, None):
                            await asyncio.sleep(draw.uniform(0.25, 0.75))
                        slot = await limit.enter(first=True)
                    try:
                        await asyncio.sleep(latency)
                    except asyncio.CancelledError:
                        limit.leave(slot)
                        raise
                    limit.answered(slot)
                    answered = True
            done[answered] += begin > back

        async with asyncio.TaskGroup() as group:
            while loop.time() < back + 20:
                call = group.create_task(one())
                await (call if rate is None else asyncio.sleep(1 / rate))
        return done

    done = simulate(work())
    assert not done[False] and done[True] > (380 if rate is None else 195)


@pytest.mark.parametrize("size", [1, None])
def test_a_low_limit_of_an_endpoint_with_fast_answers_is_no_outage(size: int | None) -> None:
    limit, bucket = Limit(size), Bucket(1, 1)
    simulate(load(limit, bucket, 120, latency=0.01))
    accepted, refused = (sum(when > 30 for when in moments) for moments in (bucket.accepted, bucket.refused))
    assert accepted > 0.7 * 90 and refused < 0.1 * accepted


def test_a_quota_for_each_minute_is_not_taken_for_refusals_by_chance() -> None:
    taken, refused = Counter[int](), 0

    async def work() -> None:
        nonlocal refused
        limit, loop = Limit(), asyncio.get_running_loop()

        async def one() -> None:
            nonlocal refused
            slot = await limit.enter()
            while taken[int(loop.time() // 60)] >= 10:
                refused += 1
                await asyncio.sleep(0.01)
                if not limit.refused(slot, None):
                    await asyncio.sleep(0.5)
                slot = await limit.enter(first=True)
            taken[int(loop.time() // 60)] += 1
            await asyncio.sleep(1.0)
            limit.answered(slot)

        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(one())

    simulate(work())
    assert len(taken) <= 11 and refused < 10 * taken.total()


def test_an_endpoint_that_takes_so_many_at_once_is_seldom_asked_for_more() -> None:
    async def work() -> tuple[int, int, float]:
        limit, loop = Limit(), asyncio.get_running_loop()
        in_flight = refusals = answers = 0

        async def one() -> None:
            nonlocal in_flight, refusals, answers
            while True:
                slot = await limit.enter()
                if in_flight >= 40:
                    refusals += loop.time() > 60
                    if not limit.refused(slot, None):
                        await asyncio.sleep(0.5)
                    continue
                in_flight += 1
                await asyncio.sleep(1.0)
                in_flight -= 1
                answers += loop.time() > 60
                limit.answered(slot)
                return

        async with asyncio.TaskGroup() as group:
            for _ in range(8_000):
                group.create_task(one())
        return refusals, answers, loop.time()

    refusals, answers, seconds = simulate(work())
    assert refusals < 0.04 * answers and seconds < 8_000 / 40 / 0.9


def test_faults_that_are_no_refusal_cost_next_to_nothing() -> None:
    """One call in twenty meets a fault; a plain loop of 64 workers is the measure."""

    async def load(enter, leave) -> float:
        draw, loop, done = Random(0), asyncio.get_running_loop(), 0

        async def worker() -> None:
            nonlocal done
            while loop.time() < 120:
                slot = await enter()
                await asyncio.sleep(draw.uniform(0.05, 0.5))
                fault = draw.random() < 0.05
                leave(slot, fault)
                done += not fault

        await asyncio.gather(*(worker() for _ in range(64)))
        return done / 120

    async def nothing() -> None: ...

    async def limited() -> float:
        limit = Limit()
        rate = await load(limit.enter, lambda slot, fault: (limit.faulted if fault else limit.answered)(slot))
        assert {change.why for change in limit.history} <= {"start", "growth"}
        return rate

    assert simulate(limited()) >= 0.98 * simulate(load(nothing, lambda slot, fault: None))


@pytest.mark.parametrize("seed", range(5))
def test_few_refusals_by_chance_cost_next_to_nothing(seed: int) -> None:
    """One call in sixty is refused, some with a Retry-After; a plain loop that asks again at once is the measure."""

    async def load(limit: Limit | None) -> float:
        draw, loop, left = Random(seed), asyncio.get_running_loop(), 3000

        async def worker() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                first = False
                while True:
                    slot = await limit.enter(first=first) if limit else None
                    if draw.random() > 1 / 60:
                        break
                    wait = draw.choice((None, 1.0))
                    if limit and slot and not limit.refused(slot, wait):
                        await asyncio.sleep(wait or 0.5)
                    first = True
                await asyncio.sleep(draw.uniform(0.05, 0.5))
                if limit and slot:
                    limit.answered(slot)

        await asyncio.gather(*(worker() for _ in range(128 if limit else 64)))
        return 3000 / loop.time()

    assert simulate(load(Limit(64))) >= 0.95 * simulate(load(None))


def test_the_pace_comes_back_stays_and_leaves() -> None:
    pace = Pace()

    def refused_among(calls: int, refused: int, now: float) -> None:
        pace.count_from(0)
        for _ in range(calls):
            pace.begins(now)
        assert [pace.refuses(TRIAL + number) for number in range(refused)].index(True) == refused - 1
        pace.cut(0, 1)

    refused = int(FEW + TOLERATED * 100) + 1
    refused_among(100, refused, now=0.0)
    ceiling = 100.0 - refused
    values = list[float]()
    for _ in range(16):
        values.append(pace.value)
        pace.held += 0.1
    assert values[0] == pytest.approx((1 - DIP) * ceiling) and values[5] == pytest.approx(ceiling)
    assert values == sorted(values) and values[15] > 1.5 * ceiling
    pace.held = 0.5
    refused_among(100, FEW + 1, now=1.0)
    pace.held += 4 * 0.5
    assert pace.value == pytest.approx(pace.ceiling), "cut near the same rate: it takes four times as long to come back"


def test_a_trial_without_refusals_ends_the_belief_in_chance() -> None:
    """Two trials in which one call in ten is refused raise what it takes to cut; a clean one lowers it again."""
    pace = Pace()

    def refusals_that_cut(trial: int) -> int:
        """Return how many refusals after a trial cut the pace; in the trial, so many are refused."""
        for _ in range(2 * TRIAL):
            pace.begins(0.0)
        pace.held = pace._back
        assert not any(pace.refuses(TRIAL - 1 - number) for number in range(trial))
        refusals = 1
        while not pace.refuses(2 * TRIAL + refusals):
            refusals += 1
        pace.cut(0, 1)
        pace.count_from(0)
        return refusals + trial

    pace.ceiling = 1000.0
    assert refusals_that_cut(TRIAL // 10) == TRIAL // 10 + 1, "one trial alone shows nothing"
    chance = refusals_that_cut(TRIAL // 10)
    assert chance > 2 * FEW
    assert refusals_that_cut(0) == FEW + 1


def test_belief_in_chance_lets_the_pace_climb_and_not_jump() -> None:
    pace = Pace()
    pace.ceiling, pace._back, pace.held = 10.0, 8.0, 8.0
    pace._share_before = 0.25
    for _ in range(TRIAL):
        pace.begins(0.0)
    assert not any(pace.refuses(TRIAL - 1 - number) for number in range(TRIAL // 4))
    assert not pace.refuses(TRIAL + 1), "more than a few, and no more than chance has"
    assert pace.value == pytest.approx((1 + DIP) * pace.ceiling)
