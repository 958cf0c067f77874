"""Whatever providers ask and whenever: nothing leaves before it has vested, nor faster than the pool's limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from domain.exchange import funding, liquidity, vesting
from domain.exchange.funding import Ask, Round
from domain.exchange.liquidity import FLOOR_MICROS, WINDOW, Payout, Pool, Waiting
from domain.exchange.trading import INDEX_SCALE
from domain.exchange.vesting import Grant, LpPolicy

T0 = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = LpPolicy()
HOUR = timedelta(hours=1)
amounts = st.integers(1, 10**12)


class Act(NamedTuple):
    hours: int
    amount: int


acts = st.lists(st.builds(Act, st.integers(0, 24 * 60), amounts), max_size=25)
grants = st.lists(st.builds(lambda amount, days: (amount, days), amounts, st.integers(0, 60)), min_size=1, max_size=4)


@given(grants, acts)
def test_nothing_leaves_before_it_has_vested_nor_faster_than_the_limit(
    given_grants: list[tuple[int, int]], wanted: list[Act]
) -> None:
    """One provider against the whole life of its pool: the queue, as the books run it."""
    owned = [Grant(amount, T0 + timedelta(days=days)) for amount, days in given_grants]
    principal = sum(grant.amount for grant in owned)
    at, start = T0 + timedelta(days=60), principal
    payouts: list[Payout] = []
    queue: list[Waiting] = []
    instant = withdrawn = 0
    for number, act in enumerate(wanted):
        at += act.hours * HOUR
        found = liquidity.plan(Pool(principal, tuple(payouts), 1_000), queue, at)
        paid = dict(found.payments)
        queue = [w._replace(unpaid=w.unpaid - paid.get(w.id, 0)) for w in queue if w.unpaid > paid.get(w.id, 0)]
        standing = vesting.standing(
            POLICY, owned, at, withdrawn=withdrawn + sum(paid.values()), instant=instant,
            pending=sum(w.unpaid for w in queue),
        )  # fmt: skip
        payouts += [Payout(at, amount) for amount in paid.values()]
        withdrawn, principal = withdrawn + sum(paid.values()), principal - sum(paid.values())
        amount = min(act.amount, standing.queueable)
        if amount:
            allowed = standing.instant_available(POLICY.instant_bps)
            pool = Pool(principal, tuple(payouts), 1_000)
            due = sum(w.unpaid for w in queue if w.due_at <= at)
            now = liquidity.instant_part(pool, amount, allowed, at, due)
            if now:
                payouts.append(Payout(at, now))
                instant, withdrawn, principal = instant + now, withdrawn + now, principal - now
            if amount > now:
                queue.append(Waiting(str(number), amount - now, at + WINDOW))
        vested = vesting.vested(POLICY.steps, owned, at)
        assert withdrawn + sum(w.unpaid for w in queue) <= vested
        assert 4 * instant <= vested
    assert principal + withdrawn == start
    for end in payouts:
        inside = sum(p.amount for p in payouts if end.at - WINDOW < p.at <= end.at)
        before = start - sum(p.amount for p in payouts if p.at <= end.at - WINDOW)
        assert inside <= max(before // 10, FLOOR_MICROS)


@given(st.integers(1, 10**15), st.lists(st.integers(0, 48), max_size=8))
def test_a_waiting_request_is_always_paid_in_the_end(principal: int, hours: list[int]) -> None:
    """Looking when the plan says to look makes progress every time, until nothing is left."""
    at, left, payouts = T0, principal, [Payout(T0 - h * HOUR, principal // 100) for h in hours if principal >= 100]
    for _ in range(2_000):
        found = liquidity.plan(Pool(left, tuple(payouts), 1_000), [Waiting("a", left, T0)], at)
        payouts = [p for p in payouts if p.at > at - WINDOW] + [Payout(at, p.amount) for p in found.payments]
        left -= sum(p.amount for p in found.payments)
        if found.look_at is None:
            break
        assert found.look_at > at
        at = found.look_at
    assert left == 0


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 400)), max_size=30),
    st.integers(1, 500),
    st.integers(0, 500),
)
def test_a_round_never_passes_its_caps_nor_a_balance(asked: list[tuple[str, int]], soft: int, more: int) -> None:
    found = Round("funding", 0, soft, soft + more, T0)
    balances = {"a": 300, "b": 1_000, "c": 0}
    asks = [Ask(str(n), who, amount) for n, (who, amount) in enumerate(asked)]
    done = funding.admit(found, asks, balances, T0 - HOUR)
    accepted = [v.ask for v in done.verdicts if v.code is None]
    assert [v.ask for v in done.verdicts] == asks
    assert sum(a.amount for a in accepted) == done.round.raised <= soft + more
    assert all(sum(a.amount for a in accepted if a.account_id == who) <= balances[who] for who in balances)
    assert (done.round.raised >= soft) == (done.round.status == "active")
    assert done.round.raised - (accepted[-1].amount if accepted else 0) < soft


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 10**9), st.booleans()), max_size=20))
def test_fees_paid_never_exceed_fees_earned(steps: list[tuple[int, int, bool]]) -> None:
    """Three providers, fees, claims and payouts in any order: the bucket always suffices (every leftover stays)."""
    positions = [liquidity.Position(shares=s, contributed=s) for s in (10**9, 7 * 10**6, 3)]
    index = carry = bucket = 0
    for who, micros, claims in steps:
        total = sum(p.shares for p in positions)
        if not total:
            break
        grown, carry = divmod(micros * INDEX_SCALE + carry, total)
        index, bucket = index + grown, bucket + micros
        if claims:
            positions[who], owed = liquidity.claimed(positions[who], index)
            bucket -= owed
        else:
            some = positions[who].shares // 3
            positions[who] = liquidity.paid_out(positions[who], index, some, instant=False)
        assert bucket >= sum(liquidity.settled(p, index).owed for p in positions)
