"""Graduation and what comes after it, on the ledger and in the books."""

from __future__ import annotations

from domain.launchpad import constant_product
from domain.launchpad.vesting import vested
from tests.programs.world import ACTIVE, GRADUATED, Scene, Wallet


class PoolActs(Scene):
    """Each act does the same to both sides or raises Refused having changed neither."""

    _start = 0

    def graduate(self, who: Wallet) -> str:
        plan = self.pooled.plan(self.books.sold)
        self.pooled.graduate()
        books, terms = self.books, self.terms
        assert books.latched
        assert books.status != GRADUATED
        assert books.status != ACTIVE or self.ended()
        assert plan.pool_lamports + plan.unpooled + plan.vested_lamports == books.raised
        books.status, books.raised, self._start = GRADUATED, 0, books.now
        books.due["rewards"] += plan.unpooled
        books.tax_held += plan.unpooled
        if not plan.pool_lamports:
            books.due["rewards"], books.due["burn"] = books.due["rewards"] + books.due["burn"], 0
        books.supply -= plan.burned
        books.withheld += plan.sent - plan.pool_tokens
        books.vested, books.other_due = [plan.vested_lamports, terms["teamSupply"]], terms["otherSupply"]
        books.pool = [plan.pool_lamports, plan.pool_tokens]
        if plan.pool_lamports:
            claim = constant_product.initial_claim(plan.pool_lamports, plan.pool_tokens)
            assert self.pooled.state()["lpSupply"] == claim + constant_product.LOCKED_CLAIM
            assert self.ledger.data(self.pooled.lp_mint)[36:44] == bytes(8)
            self.pass_time(1)
        return "graduate"

    def _swap(self, side: int, amount: int) -> int:
        """The books of the pool: `amount` of `side` came in; what leaves of the other."""
        books, other = self.books, 1 - side
        reserves = [whole - aside for whole, aside in zip(books.pool, books.aside, strict=True)]
        swap = constant_product.swap(amount, reserves[side], reserves[other])
        books.pool[side] += amount
        books.pool[other] -= swap.out
        books.aside[side] += swap.protocol + swap.fund
        return swap.out

    def swap_in(self, who: Wallet) -> str:
        amount = self.random.randint(1, who.wrapped or 1)
        self.pooled.swap(who.keys, (who.sol_at, who.tokens_at), amount, buy=True)
        who.wrapped -= amount
        who.tokens += self.arrives(self._swap(0, amount))
        return "swapIn"

    def swap_out(self, who: Wallet) -> str:
        amount = self.random.randint(1, who.tokens or 1)
        self.pooled.swap(who.keys, (who.sol_at, who.tokens_at), amount, buy=False)
        who.tokens -= amount
        who.wrapped += self._swap(1, self.arrives(amount))
        return "swapOut"

    def burn_pooled(self, who: Wallet) -> str:
        books = self.books
        lamports = self.random.choice([books.due["burn"], self.random.randint(0, books.due["burn"] + 1)])
        self.pooled.burn(lamports)
        gained = self.arrives(self._swap(0, lamports))
        books.due["burn"] -= lamports
        books.tax_held -= lamports
        books.burned, books.supply = books.burned + gained, books.supply - gained
        return "burnFromPool"

    def claim_vested(self, who: Wallet) -> str:
        books, terms = self.books, self.terms
        if books.status == GRADUATED:
            self.pass_time(self.random.choice([0, 1, self.random.randint(0, terms["vestSeconds"] // 2)]))
        self.pooled.claim_vested(self.outside["team"])
        elapsed = books.now - self._start
        due = [vested(whole, elapsed, terms["cliffSeconds"], terms["vestSeconds"]) for whole in books.vested]
        least = max(books.vested[1] // 100, 100)
        if self.sale.fee_bps and due[1] < books.vested[1] and due[1] - books.claimed[1] < least:
            due[1] = books.claimed[1]  # too small a slice: the mint's fee is rounded up
        books.outside["team"] += self.arrives(due[1] - books.claimed[1])
        books.claimed = due
        return "claimVested"

    def release_other(self, who: Wallet) -> str:
        self.pooled.release_other(self.outside["other"])
        self.books.outside["other"] += self.arrives(self.books.other_due)
        self.books.other_due = 0
        return "releaseOther"
