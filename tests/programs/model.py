"""Random sequences of every instruction of a sale, and what must hold at their end."""

from __future__ import annotations

from collections.abc import Callable

from domain.launchpad.vesting import vested
from tests.programs.graduation_lab import ENDED
from tests.programs.ledger import Refused
from tests.programs.world import ACTIVE, GRADUATED, Wallet
from tests.programs.world_curve import CurveActs
from tests.programs.world_payouts import PayoutActs
from tests.programs.world_pool import PoolActs

Act = Callable[[Wallet], str]


class World(CurveActs, PayoutActs, PoolActs):
    """`step` does one random act; everything is compared after it."""

    def step(self) -> str:
        """What was done, or why it was refused; a refused act must leave everything as it was."""
        if self.books.status == ACTIVE and not self.ended() and self.random.randint(1, 50) == 1:
            self.pass_time(ENDED - self.books.now)
        who = self.random.choice(self.wallets)
        act = self.random.choice(self._acts())
        try:
            return act(who)
        except Refused as refused:
            return str(refused)
        finally:
            self.compare(who)

    def _acts(self) -> list[Act]:
        """Likely acts of the phase often, all others sometimes."""
        books = self.books
        payouts: list[Act] = [self.claim, self.distribute, self.settle, self.claim_referral, self.close_position]
        if self.sale.fee_bps:
            payouts.append(self.harvest)
        if books.status == GRADUATED:
            after: list[Act] = [self.burn_pooled, self.claim_vested, self.release_other, self.graduate, self.sell]
            swaps: list[Act] = [self.swap_in, self.swap_in, self.swap_out, self.swap_out] if books.pool[0] else []
            return [*payouts, *after, *swaps]
        if books.status != ACTIVE or self.ended():
            end: list[Act] = [self.graduate, self.buy, self.burn, self.release_other, self.claim_vested]
            return [*payouts, *end] if books.latched else [*payouts, self.refund, self.refund, self.reclaim, *end]
        rare = self.random.choice([self.graduate, self.refund, self.reclaim, self.burn_pooled, self.release_other])
        if not books.latched:
            return [*[self.buy] * 12, self.random.choice([*payouts, self.sell, self.burn]), rare]
        return [*payouts, self.settle, *[self.buy] * 3, *[self.sell] * 3, self.burn, self.burn, rare]

    def finish(self) -> None:
        """Nobody is left out: whoever is owed something gets it, and what remains in the sale is its rent."""
        self.pass_time(max(0, ENDED - self.books.now))
        for who in self.wallets if not self.books.latched else []:
            if who.has_position:
                self.refund(who)
                self.compare(who)
        if self.books.latched:
            self._finish_success()
        elif not self.books.reclaimed:
            self.reclaim(self.wallets[0])
        for who in self.wallets:
            self.compare(who)
        books = self.books
        left = 0 if books.status != GRADUATED else books.due["burn"]
        assert (books.raised, books.held, books.tax_held) == (0, 0, left)
        assert self.vault() == 0
        assert self.ledger.lamports(self.sale.key) == self.sale.state()["rent"] + left
        assert self.ledger.lost() == 0

    def _finish_success(self) -> None:
        books, first = self.books, self.wallets[0]
        if books.status != GRADUATED:
            self.graduate(first)
        for who in self.wallets:
            if who.waiting:
                self.claim(who)
            if any(who.earned):
                self.settle(who)
            if who.has_position:
                self.close_position(who)
        if any(books.due[name] for name in ("marketing", "treasury", "rewards")):
            self.distribute(first)
        if books.other_due:
            self.release_other(first)
        self.pass_time(self.terms["vestSeconds"])
        if books.claimed != [vested(whole, 1, 0, 1) for whole in books.vested]:
            self.claim_vested(first)
        assert books.claimed == books.vested
        if self.sale.fee_bps:
            assert self.withheld_on_chain() == books.withheld
