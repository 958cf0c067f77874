"""The exchange against a plain model: whatever is done in whatever order, both say the same after each step.

Hypothesis makes up sequences of everything that can be done on the exchange; the stores run on a real Postgres, the
model (tests/exchange_model.py) is a dictionary and a few lists. After each step: all balances of the example equal the
model's, every rule of the ledger check holds, every position is the model's, and each asset's log replays to what the
books say.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain.exchange.assets import AssetPlan
from storage.events import new_id
from tests.exchange_lab import CHAIN, WITHDRAWALS, ExchangeLab, open_exchange
from tests.exchange_model import FEES, Asset, Model, Said, held_by, purse
from tests.world.market import Asked

USERS = 4
DEPOSITS, HOT = (f"custody:{CHAIN}:deposits", "USDC"), (f"custody:{CHAIN}:hot", "USDC")
FEE = WITHDRAWALS.fee_micros

users = st.integers(0, USERS - 1)
picks = st.integers(0, 2)
parts = st.integers(1, 12)
money = st.one_of(st.integers(1, 50), st.integers(10**4, 10**7), st.integers(10**6, 3 * 10**9))
slopes = st.sampled_from([0, 10**8, 10**14, 10**16, 10**18])
prices = st.sampled_from([1, 50_000, 10**6, 18 * 10**6, 10**11])
orders = st.lists(st.tuples(users, picks, st.booleans(), money, parts, st.booleans()), min_size=1, max_size=8)


class ExchangeMachine(RuleBasedStateMachine):
    """`run` and `lab` are set by the test: one event loop, one database, one engine for all examples."""

    run: Callable[[Coroutine[Any, Any, Any]], Any]
    lab: ExchangeLab
    seen: ClassVar[set[str]]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.users = [self.do(self.lab.account()) for _ in range(USERS)]
        self.now = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        self.halts: dict[str, tuple[str, datetime]] = {}
        self.refunding: dict[str, str | None] = {}
        self.holds: dict[str, tuple[str, int]] = {}
        # what earlier examples left: they share the database, and one that failed leaves what is wrong
        self.base = self.do(self.lab.balances([FEES[0], DEPOSITS[0], HOT[0]], []))
        self.wrong = self.do(self.lab.violations())
        self.do(self.lab.switch(True))

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return type(self).run(work)

    def saw(self, *words: str | None) -> None:
        """What came about: the test asserts that everything did."""
        type(self).seen |= {word for word in words if word}

    def pick(self, number: int) -> Asset:
        found = list(self.model.assets.values())
        return found[number % len(found)]

    def holder(self, asset: Asset, number: int) -> str:
        """Somebody who holds shares, if anybody does."""
        return self.either([user for user in self.users if asset.held[user].shares], number)

    def provider(self, asset: Asset, number: int) -> str:
        """Somebody who has put something in, if anybody has."""
        return self.either([user for user in self.users if user in asset.providers], number)

    def either(self, those: list[str], number: int) -> str:
        return those[number % len(those)] if those and number < USERS - 1 else self.users[number]

    # --- money, assets ----------------------------------------------------------------------------------------------

    @initialize(slope=slopes, price=prices, breaker=st.sampled_from([0, 300, 1_500]), principal=money)
    def a_market_that_trades(self, slope: int, price: int, breaker: int, principal: int) -> None:
        for user in range(USERS):
            self.deposit(user, 10**9 * (user + 1))
        principal = max(10_000, min(principal, 9 * 10**8))
        self.create_asset(slope, price, breaker, 50, 9_000, principal, principal * 2, 7)
        self.contribute(0, [(0, principal)])
        self.create_asset(10**16, 10**6, 1_500, 200, 10_000, 10**8, 10**9, 3)
        self.contribute(1, [(user, 10**7 + user) for user in range(USERS)])

    @rule(user=users, micros=money)
    def deposit(self, user: int, micros: int) -> None:
        self.do(self.lab.deposit(self.users[user], micros))
        self.model.move(micros, DEPOSITS, purse(self.users[user]))

    @precondition(lambda self: len(self.model.assets) < 3)
    @rule(slope=slopes, price=prices, breaker=st.sampled_from([0, 100, 1_500]), fee=st.integers(30, 200),
          lp_part=st.sampled_from([0, 5_000, 9_000, 10_000]), soft=st.integers(10**4, 10**9),
          hard=st.integers(0, 10**9), days=st.integers(1, 30))  # fmt: skip
    def create_asset(
        self, slope: int, price: int, breaker: int, fee: int, lp_part: int, soft: int, hard: int, days: int
    ) -> None:
        deadline = self.now + timedelta(days=days)
        symbol = f"M{new_id()[-11:].upper()}"
        plan = AssetPlan(
            symbol=symbol, name=symbol, p0_micros=price, k_atto=slope, soft_cap_micros=soft,
            hard_cap_micros=soft + hard, funding_deadline=deadline, oracle_queries=(),
            breaker_bps=breaker, fee_bps=fee, lp_part_bps=lp_part,
        )  # fmt: skip
        name = self.do(self.lab.asset(plan))
        self.model.assets[name] = Asset(name, price, slope, fee, lp_part, breaker, soft, soft + hard, deadline)

    # --- funding ----------------------------------------------------------------------------------------------------

    @rule(number=picks, asks=st.lists(st.tuples(users, money), min_size=1, max_size=5))
    def contribute(self, number: int, asks: list[tuple[int, int]]) -> None:
        asset = self.pick(number)
        made = {}
        for user, micros in asks:
            made[self.do(self.lab.request(asset.id, self.users[user], micros))] = (self.users[user], micros)
        decided = self.do(self.lab.admit(asset.id, self.now))
        for name, (user, micros) in sorted(made.items()):
            code = self.model.contribute(asset, user, name, micros, self.now)
            assert decided.pop(name) == code
            assert self.do(self.lab.admit(asset.id, self.now, name)) == {name: code}, "asked again"
            self.saw(code or "contributed")
        assert not decided

    @rule(number=picks, operator=st.booleans(), late=st.booleans())
    def end_of_a_round(self, number: int, operator: bool, late: bool) -> None:
        """By its deadline, by an operator, or asked too early."""
        asset = self.pick(number)
        if late:
            self.now = max(self.now, asset.deadline)
        if asset.status == "funding" and (operator or self.now >= asset.deadline):
            asset.status = "cancelled"
            self.refunding[asset.id] = None
            self.saw("cancelled")
        for _ in range(2):
            status = self.do(self.lab.end_round(asset.id, self.now, self.lab.operator if operator else None))
            assert status == ("active" if asset.status == "halted" else asset.status)

    @precondition(lambda self: self.refunding)
    @rule(again=st.booleans())
    def refund_some(self, again: bool) -> None:
        """One batch of two; `again`: its activity had been carried out and was lost on the way."""
        asset = self.model.assets[min(self.refunding)]
        due = sorted(name for *_, name in asset.grants if name not in asset.refunded)
        after = self.do(self.lab.refund(asset.id, self.refunding[asset.id]))
        if again and after is not None:
            due_again = due[2:4]
            after = self.do(self.lab.refund(asset.id, self.refunding[asset.id]))
            due = due[:2] + due_again
        else:
            due = due[:2]
        for name in due:
            self.model.refund(asset, name)
            self.saw("refunded")
        self.refunding[asset.id] = after
        if after is None:
            del self.refunding[asset.id]
            self.do(self.lab.funding.finish(asset.id))

    # --- trading ----------------------------------------------------------------------------------------------------

    @rule(asked=orders)
    def trade_in_one(self, asked: list[tuple[int, int, bool, int, int, bool]]) -> None:
        """In the asset that trades from the beginning."""
        self.trade([(user, 0, *rest) for user, _, *rest in asked])

    @rule(asked=orders)
    def trade(self, asked: list[tuple[int, int, bool, int, int, bool]]) -> None:
        """One batch; a sale asks for a part of what is held, or for more. `fussy`: it wants more than it can get."""
        batch = []
        for user, number, buys, micros, part, fussy in asked:
            asset = self.pick(number)
            owner = self.users[user] if buys else self.holder(asset, user)
            held = asset.held[owner].shares
            amount = micros if buys else max(1, held * min(part, 11) // 10 if part > 1 else micros)
            batch.append(Asked(asset.id, owner, "buy" if buys else "sell", amount, 10**36 if fussy and part > 9 else 0))
        for order, row in zip(batch, self.do(self.lab.trade(batch)), strict=True):
            asset = self.model.assets[order.asset]
            second = int(row["executed_at"].timestamp())
            said = self.model.trade(asset, order.account, order.side, order.asked, order.min_out, second)
            assert found(row) == said, (order, row)
            assert row["verdict"] == asset.verdicts
            self.saw(said.code or order.side)

    @rule()
    def another_engine_takes_over(self) -> None:
        """It knows nothing of the last minute and reads it back."""
        self.lab.market.store.memory.clear()

    @rule(number=picks, minutes=st.integers(1, 600))
    def halt(self, number: int, minutes: int) -> None:
        asset, until = self.pick(number), self.now + timedelta(minutes=minutes)
        name = self.do(self.lab.halt(asset.id, until))
        assert (name is not None) == (asset.status == "active")
        if name is not None:
            asset.status = "halted"
            self.halts[name] = (asset.id, until)

    @precondition(lambda self: self.halts)
    @rule(operator=st.booleans(), late=st.booleans())
    def end_a_halt(self, operator: bool, late: bool) -> None:
        name = min(self.halts)
        owner, until = self.halts[name]
        if late:
            self.now = max(self.now, until)
        ended = self.do(self.lab.end_halt(name, self.now, self.lab.operator if operator else ""))
        assert ended == (operator or self.now >= until)
        if ended:
            self.model.assets[owner].status = "active"
            del self.halts[name]
            self.saw("resumed")

    @rule(on=st.sampled_from([True, True, True, False]))
    def kill_switch(self, on: bool) -> None:
        self.do(self.lab.switch(on))
        self.model.trading = on

    # --- money leaving ----------------------------------------------------------------------------------------------

    @rule(hours=st.sampled_from([1, 12, 24, 24 * 7, 24 * 31, 24 * 180]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(number=picks, user=users, asks=st.lists(parts, min_size=1, max_size=4), days=st.sampled_from([0, 1, 7, 31]))
    def withdraw_liquidity(self, number: int, user: int, asks: list[int], days: int) -> None:
        """Parts of what may be asked for, or more, one after the other, some days from now."""
        asset = self.pick(number)
        owner = self.provider(asset, user)
        self.now += timedelta(days=days)
        for part in asks:
            micros = max(1, asset.askable(owner, self.now) * part // 10)
            status, now = self.model.ask(asset, owner, "", micros, self.now)
            name, said = self.do(self.lab.ask(asset.id, owner, micros, self.now))
            assert said == status, (micros, now)
            if status == "queued":
                asset.queue[-1].id = name
            self.saw(f"lp_{status}", "instant" if now else None)

    @rule(number=picks, matured=st.booleans())
    def pay_the_queue(self, number: int, matured: bool) -> None:
        asset = self.pick(number)
        if asset.queue:
            if matured:
                self.now = max(self.now, asset.queue[0].due)
            before = len(asset.payouts)
            asked = asset.queue[-1].id
            self.model.pay_queue(asset, self.now)
            for _ in range(2):
                self.do(self.lab.lp.pay_queue(asked, self.now))
            self.saw("queue_paid" if len(asset.payouts) > before else None)

    @rule(number=picks)
    def give_up_a_place_in_the_queue(self, number: int) -> None:
        asset = self.pick(number)
        if asset.queue:
            row = asset.queue.pop(len(asset.queue) // 2)
            for _ in range(2):
                self.do(self.lab.lp.cancel(row.id, row.user))

    @rule(number=picks, user=users)
    def claim_fees(self, number: int, user: int) -> None:
        asset = self.pick(number)
        owner = self.provider(asset, user)
        paid = self.do(self.lab.claim(asset.id, owner))
        self.model.claim(asset, owner, paid)
        self.saw("claimed" if paid else "nothing_to_claim")

    @rule(user=users, micros=money)
    def withdraw(self, user: int, micros: int) -> None:
        owner = self.users[user]
        name, placed = self.do(self.lab.withdraw(owner, micros))
        enough = self.model.has(owner) >= micros + FEE
        assert (placed.status, placed.code) == (("approved", None) if enough else ("rejected", "insufficient_funds"))
        if enough:
            self.model.move(micros + FEE, purse(owner), held_by(owner))
            self.holds[name] = (owner, micros)

    @precondition(lambda self: self.holds)
    @rule(settles=st.booleans())
    def end_a_withdrawal(self, settles: bool) -> None:
        name = min(self.holds)
        owner, micros = self.holds.pop(name)
        self.do(self.lab.settle(name) if settles else self.lab.give_up(name, owner))
        self.model.move(micros + FEE, held_by(owner), purse(owner))
        if settles:
            self.model.move(micros, purse(owner), HOT)
            self.model.move(FEE, purse(owner), FEES)
        self.saw("settled" if settles else "given_up")

    # --- what must hold after every step ----------------------------------------------------------------------------

    @invariant()
    def books_and_model_agree(self) -> None:
        self.do(self.compare())

    async def compare(self) -> None:
        paths = [
            *(path(user)[0] for user in self.users for path in (purse, held_by)),
            *(a.account(b)[0] for a in self.model.assets.values() for b in ("reserve", "lp_principal", "lp_fees")),
            FEES[0], DEPOSITS[0], HOT[0],
        ]  # fmt: skip
        kept = await self.lab.balances(paths, list(self.model.assets))
        for account, before in self.base.items():
            kept[account] = kept.get(account, 0) - before
        assert {k: v for k, v in kept.items() if v} == {k: v for k, v in self.model.money.items() if v}
        usdc = [v for (_, unit), v in self.model.money.items() if unit == "USDC"]
        assert sum(usdc) == 0, "money was made or lost"
        assert await self.lab.violations() == self.wrong
        assert await self.lab.differences(list(self.model.assets)) == []
        await self._compare_rows()

    async def _compare_rows(self) -> None:
        names = list(self.model.assets)
        rows = await self.lab.rows(
            """SELECT id, status::text AS status, supply_atto, lp_shares_micros, verdicts, fills FROM exchange.assets
               WHERE id = ANY(%s::uuid[])""",
            names,
        )
        assert {r.pop("id"): tuple(r.values()) for r in rows} == {
            a.id: (a.status, a.supply, a.principal, a.verdicts, len(a.prices)) for a in self.model.assets.values()
        }
        owed = await self.lab.rows(
            """SELECT asset_id, account_id, fees_owed_micros
                 + div(shares_micros * (fee_index - fee_index_paid), 1000000000000000000) AS micros
               FROM exchange.lp_positions JOIN exchange.assets a ON a.id = asset_id WHERE a.id = ANY(%s::uuid[])""",
            names,
        )
        for row in owed:
            self.model.assets[row["asset_id"]].owes(row["account_id"], row["micros"])
        held = await self.lab.rows(
            """SELECT asset_id, account_id, shares_atto, cost_micros, realised_micros FROM exchange.positions
               WHERE asset_id = ANY(%s::uuid[])""",
            names,
        )
        assert {(r["asset_id"], r["account_id"]): tuple(r.values())[2:] for r in held} == {
            (a.id, user): (h.shares, h.cost, h.realised)
            for a in self.model.assets.values()
            for user, h in a.held.items()
            if (h.shares, h.cost, h.realised) != (0, 0, 0)
        }


def found(row: dict[str, Any]) -> Said:
    """A row of the log as the model says it."""
    if row["status"] == "rejected":
        return Said(row["reject_code"])
    figures = ("shares_atto", "amount_micros", "pool_micros", "fee_micros", "lp_fee_micros", "spot_before_micros",
               "spot_after_micros", "realised_micros")  # fmt: skip
    return Said(None, *(int(row[name]) for name in figures))


@contextmanager
def machine(dsn: str) -> Iterator[type[ExchangeMachine]]:
    with asyncio.Runner() as runner:
        opened = open_exchange(dsn)
        lab = runner.run(opened.__aenter__())
        try:
            yield type("Machine", (ExchangeMachine,), {"run": staticmethod(runner.run), "lab": lab, "seen": set()})
        finally:
            runner.run(opened.__aexit__(None, None, None))


EVERYTHING = {
    "buy", "sell", "contributed", "funding_closed", "hard_cap_exceeded", "insufficient_funds", "cancelled", "refunded",
    "asset_not_active", "asset_halted", "trading_disabled", "amount_too_small", "slippage_exceeded", "circuit_breaker",
    "resumed", "lp_refused", "lp_queued", "lp_paid", "instant", "queue_paid", "claimed", "nothing_to_claim", "settled",
    "given_up",
}  # fmt: skip


@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        pytest.param(24, 30, id="quick"),
        pytest.param(
            int(os.environ.get("MODEL_EXAMPLES", "400")), 60, id="long",
            marks=(pytest.mark.soak, pytest.mark.timeout(3_600)),
        ),
    ],
)  # fmt: skip
def test_the_exchange_behaves_like_the_model(database: str, examples: int, steps: int) -> None:
    with machine(database) as made:
        run_state_machine_as_test(
            made,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                print_blob=True,
            ),
        )
        missing = EVERYTHING - made.seen
        assert not missing or examples < 100, f"never came about: {missing}"
        print(f"{examples} examples of {steps} steps; never came about: {sorted(missing)}")
