"""What a sale must hold after any sequence of calls: the rules in Python, beside the program on the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from domain.launchpad import curves, trade_tax
from tests.programs.lab import PLAIN, START, TOKEN, TOKEN_2022, Ledger, Refused, Sale, curve_of

POSITION_RENT = (128 + 144) * 6_960


@dataclass
class Wallet:
    """One trader: the keys, a token account, the model's lamports and tokens."""

    keys: Keypair
    tokens_at: Pubkey
    uplines: int
    lamports: int
    tokens: int = 0
    waiting: int = 0
    paid: int = 0
    tax: int = 0
    earned: list[int] = field(default_factory=lambda: [0] * 5)
    has_position: bool = False


@dataclass
class Model:
    """The sale's counters."""

    sold: int = 0
    raised: int = 0
    held: int = 0
    latched: bool = False
    closed: bool = False
    due: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("marketing", "treasury", "burn", "rewards", "referral"), 0)
    )


def any_terms(random: Random) -> dict[str, Any]:
    """Terms the program accepts: any shape, 0 to 9 decimals, caps between a lamport and 90 SOL."""
    decimals = random.randint(0, 9)
    unit = 10**decimals
    terms: dict[str, Any] = {**PLAIN, "shape": random.randint(0, 2), "decimals": decimals}
    terms["startPrice"] = random.randint(1_000, 10**11)
    terms["targetPrice"] = terms["startPrice"] * random.randint(1, 50) + random.randint(1, 10**9)
    whole = random.choice([10**6, 10**9, 12_345_679])
    terms["saleSupply"] = whole * unit * 4 // 10 + random.randint(0, 999)
    terms["liquiditySupply"], terms["teamSupply"], terms["otherSupply"] = whole * unit, 0, 0
    full = curves.reserve(curve_of(terms), terms["saleSupply"])
    terms["hardCap"] = max(2, random.choice([full * 2, full // 2, full // 3 + random.randint(0, 99)]))
    most = curves.sellable(curve_of(terms), terms["hardCap"])
    reach = curves.reserve(curve_of(terms), most)
    terms["softCap"] = max(1, reach * random.choice([1, 20, 70, 100]) // 100)
    terms["taxBps"], terms["referralBps"] = random.choice([0, 1, 200, 500]), random.choice([0, 2_500, 10_000])
    return terms


class World:
    """A sale on the ledger and the model of it; `step` does the same to both and compares everything."""

    def __init__(self, random: Random, wallets: int = 4) -> None:
        self.random = random
        fee_bps = random.choice([0, 0, 100])
        program = TOKEN_2022 if fee_bps else random.choice([TOKEN, TOKEN_2022])
        self.sale = Sale(Ledger(), program, fee_bps, **any_terms(random))
        self.sale.mint_all()
        self.sale.open()
        self.model = Model()
        self.pace = random.choice([1, 10, 100])
        """Of the whole sale, one part in so many is the largest single buy."""
        self.wallets = [self._wallet(index) for index in range(wallets)]

    def _wallet(self, uplines: int) -> Wallet:
        keys = self.sale.ledger.wallet()
        parent = self.wallets[-1] if uplines else None
        self.wallets = [*getattr(self, "wallets", [])]
        self.sale.register(keys, parent.keys.pubkey() if parent else None)
        at = self.sale.new_account(keys.pubkey())
        made = Wallet(keys, at, uplines, self.sale.ledger.lamports(keys.pubkey()))
        self.wallets.append(made)
        return made

    def step(self) -> str:
        """One random call; refused ones must leave the model as it was."""
        who = self.random.choice(self.wallets)
        often = self._sell if self.model.latched else self._buy
        act = self.random.choice([self._buy, often, self._sell, self._claim])
        try:
            return act(who)
        except Refused as refused:
            return str(refused)
        finally:
            self.compare(who)

    def _received(self, amount: int) -> int:
        return amount - -(-amount * self.sale.fee_bps // 10_000)

    def _book(self, who: Wallet, value: int) -> int:
        terms = self.sale.terms
        tax = trade_tax.tax_of(value, terms["taxBps"])
        split = trade_tax.split(tax, who.uplines, terms["referralBps"])
        assert sum(split.referral) + split.marketing + split.treasury + split.burn + split.rewards == tax
        for level, share in enumerate(split.referral):
            who.earned[level] += share
        for name in ("marketing", "treasury", "burn", "rewards"):
            self.model.due[name] += getattr(split, name)
        self.model.due["referral"] += sum(split.referral)
        return tax

    def _open_position(self, who: Wallet) -> None:
        if not who.has_position:
            who.has_position, who.lamports = True, who.lamports - POSITION_RENT

    def _buy(self, who: Wallet) -> str:
        model, most = self.model, self.sale.terms["most"]
        left = most - model.sold
        tokens = self.random.choice([1, self.random.randint(1, max(1, most // self.pace))])
        taken = min(tokens, left)
        value = curves.cost(self.sale.curve, model.sold, taken)
        limit = value + trade_tax.tax_of(value, self.sale.terms["taxBps"])
        self.sale.buy(who.keys, tokens, limit, who.tokens_at)
        self._open_position(who)
        tax = self._book(who, value)
        who.lamports -= value + tax
        model.sold, model.raised = model.sold + taken, model.raised + value
        if model.latched:
            who.tokens += self._received(taken)
        else:
            who.waiting, who.paid, who.tax, model.held = (
                who.waiting + taken,
                who.paid + value,
                who.tax + tax,
                model.held + taken,
            )
        model.latched |= model.raised >= self.sale.terms["softCap"]
        model.closed = model.sold == most
        return "buy"

    def _sell(self, who: Wallet) -> str:
        amount = self.random.randint(1, who.tokens) if who.tokens else 1
        back = self._received(amount)
        value = curves.revenue(self.sale.curve, self.model.sold, back) if back <= self.model.sold else 0
        least = value - trade_tax.tax_of(value, self.sale.terms["taxBps"])
        self.sale.sell(who.keys, who.tokens_at, amount, least)
        if who.uplines:
            self._open_position(who)
        who.lamports += value - self._book(who, value)
        who.tokens -= amount
        self.model.sold, self.model.raised = self.model.sold - back, self.model.raised - value
        return "sell"

    def _claim(self, who: Wallet) -> str:
        self.sale.claim(who.keys.pubkey(), who.tokens_at)
        who.tokens += self._received(who.waiting)
        self.model.held -= who.waiting
        who.waiting = who.paid = who.tax = 0
        return "claim"

    def refund_all(self) -> None:
        """The end of a sale that never latched: everybody has what he came with."""
        self.sale.ledger.set_time(START + 86_400)
        for who in self.wallets:
            if who.has_position:
                self.sale.refund(who.keys.pubkey())
                assert self.sale.ledger.lamports(who.keys.pubkey()) == who.lamports + who.paid + who.tax + POSITION_RENT
        now = self.sale.state()
        assert (now["sold"], now["raised"], now["held"], now["taxHeld"]) == (0, 0, 0, 0)
        assert self.sale.ledger.lamports(self.sale.key) == now["rent"]

    def compare(self, who: Wallet) -> None:
        """The ledger says what the model says: counters, positions, lamports and tokens to the unit."""
        now, model, ledger = self.sale.check(), self.model, self.sale.ledger
        assert (now["sold"], now["raised"], now["held"]) == (model.sold, model.raised, model.held)
        assert (now["latched"], now["status"]) == (model.latched, int(model.closed))
        assert {name: now[f"{name}Due"] for name in model.due} == model.due
        assert ledger.lamports(self.sale.key) == now["rent"] + model.raised + sum(model.due.values())
        assert ledger.tokens(self.sale.vault.pubkey()) == self.sale.supply - model.sold + model.held
        assert ledger.lamports(who.keys.pubkey()) == who.lamports
        assert ledger.tokens(who.tokens_at) == who.tokens
        if who.has_position:
            position = self.sale.position(who.keys.pubkey())
            assert position is not None
            assert [position[name] for name in ("tokens", "earned")] == [who.waiting, who.earned]
            if who.waiting:
                assert (position["paid"], position["tax"]) == (who.paid, who.tax)
