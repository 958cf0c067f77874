"""The rules of a sale in Python beside the programs on the ledger: what everybody must hold after any calls."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from domain.launchpad import curves, trade_tax
from domain.launchpad.transfer_fee import NO_FEE, TransferFee, after_fee
from tests.programs.graduation_lab import ENDED, Pooled, supply_of, wrapped
from tests.programs.interface import LAUNCHPAD
from tests.programs.lab import DUE, PLAIN, Sale, curve_of
from tests.programs.ledger import SOL, START, TOKEN, TOKEN_2022, Ledger, find

ACTIVE, CLOSED, GRADUATED = range(3)
POSITION_RENT: Final = (128 + 144) * 6_960
FEE_AMOUNT: Final = b"\x02\x00\x08\x00"
"""How the extension of a token account begins that holds withheld fees."""


@dataclass
class Wallet:
    """One trader: the keys, accounts of the token and of wrapped SOL, and what the model says is in them."""

    keys: Keypair
    tokens_at: Pubkey
    sol_at: Pubkey
    chain: list[Wallet]
    """The uplines that exist, nearest first."""
    lamports: int
    wrapped: int
    tokens: int = 0
    waiting: int = 0
    paid: int = 0
    tax: int = 0
    earned: list[int] = field(default_factory=lambda: [0] * 5)
    pending: int = 0
    has_position: bool = False


@dataclass
class Books:
    """The sale's counters, the pool, and who else holds something."""

    supply: int
    now: int = START
    sold: int = 0
    raised: int = 0
    held: int = 0
    tax_held: int = 0
    burned: int = 0
    other_due: int = 0
    latched: bool = False
    status: int = ACTIVE
    refunding: bool = False
    reclaimed: bool = False
    withheld: int = 0
    """Transfer fees of the mint, wherever they lie."""
    due: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DUE, 0))
    received: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("marketing", "treasury", "rewards"), 0))
    vested: list[int] = field(default_factory=lambda: [0, 0])
    """Lamports and tokens the team waits for, in all."""
    claimed: list[int] = field(default_factory=lambda: [0, 0])
    outside: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("team", "other", "rewards"), 0))
    """Tokens of those who do not trade."""
    pool: list[int] = field(default_factory=lambda: [0, 0])
    """Lamports and tokens in the pool's vaults."""
    aside: list[int] = field(default_factory=lambda: [0, 0])
    """Of these, fees for protocol and fund, which nobody trades with."""


def any_terms(random: Random) -> dict[str, Any]:
    """Terms the program accepts: any shape, 0 to 9 decimals, caps between a lamport and 90 SOL."""
    decimals = random.randint(0, 9)
    unit = 10**decimals
    terms: dict[str, Any] = {**PLAIN, "shape": random.randint(0, 2), "decimals": decimals}
    terms["startPrice"] = random.randint(1_000, 10**11)
    target = terms["startPrice"] * random.randint(1, 50) + random.randint(1, 10**9)
    terms["targetPrice"] = min(target, terms["startPrice"] * curves.RATIO_MOST)
    whole = random.choice([10**6, 10**9, 12_345_679])
    terms["saleSupply"] = whole * unit * 4 // 10 + random.randint(0, 999)
    terms["liquiditySupply"] = whole * unit
    terms["teamSupply"] = random.choice([0, whole * unit // 4, random.randint(1, 999)])
    terms["otherSupply"] = random.choice([0, random.randint(1, whole * unit)])
    terms["cliffSeconds"] = random.choice([0, 1, 15_552_000])
    terms["vestSeconds"] = terms["cliffSeconds"] + random.choice([0, 7, 46_656_000])
    full = curves.reserve(curve_of(terms), terms["saleSupply"])
    terms["hardCap"] = max(2, random.choice([full * 2, full // 2, full // 3 + random.randint(0, 99)]))
    most = curves.sellable(curve_of(terms), terms["hardCap"])
    reach = curves.reserve(curve_of(terms), most)
    terms["softCap"] = max(1, reach * random.choice([1, 5, 20, 100]) // 100)
    terms["taxBps"], terms["referralBps"] = random.choice([0, 1, 200, 500]), random.choice([0, 2_500, 10_000])
    return terms


class Scene:
    """A sale on the ledger, its books, and the comparison of both to the unit."""

    def __init__(self, random: Random, wallets: int = 4) -> None:
        self.random = random
        fee_bps = random.choice([0, 0, 100])
        program = TOKEN_2022 if fee_bps else random.choice([TOKEN, TOKEN_2022])
        self.fee = TransferFee(fee_bps, 2**63) if fee_bps else NO_FEE
        self.sale = Sale(Ledger(), program, fee_bps, **any_terms(random))
        self.terms, self.ledger = self.sale.terms, self.sale.ledger
        self.sale.mint_all()
        self.sale.open()
        self.pooled = Pooled(self.sale)
        self.books = Books(self.sale.supply)
        self.pace = random.choice([1, 4, 10, 100])
        """Of the whole sale, one part in so many is the largest single buy."""
        self.wallets: list[Wallet] = []
        for _ in range(wallets):
            self.wallets.append(self._wallet())
        self.outside = {
            "team": self.sale.new_account(self.sale.other.pubkey()),
            "other": self.sale.new_account(self.sale.other.pubkey()),
            "rewards": self.sale.new_account(self.sale.recipients["rewards"]),
        }
        self._before = {name: self.ledger.lamports(key) for name, key in self._paid().items()}

    def _wallet(self) -> Wallet:
        keys = self.ledger.wallet()
        parent = self.wallets[-1] if self.wallets else None
        self.sale.register(keys, parent.keys.pubkey() if parent else None)
        at, sol = self.sale.new_account(keys.pubkey()), wrapped(self.sale, keys, 40 * SOL)
        chain = [parent, *parent.chain][:5] if parent else []
        return Wallet(keys, at, sol, chain, self.ledger.lamports(keys.pubkey()), 40 * SOL)

    def _paid(self) -> dict[str, Pubkey]:
        return {**self.sale.recipients, "team": self.sale.other.pubkey()}

    def arrives(self, amount: int) -> int:
        """What a transfer brings; the rest is withheld somewhere."""
        arrived = after_fee(self.fee, amount)
        self.books.withheld += amount - arrived
        return arrived

    def ended(self) -> bool:
        return self.books.now >= ENDED

    def pass_time(self, seconds: int) -> None:
        self.books.now += seconds
        self.ledger.set_time(self.books.now)

    def vault(self) -> int:
        """Tokens the sale keeps for somebody."""
        books = self.books
        if books.reclaimed:
            return 0
        if books.status == GRADUATED:
            return books.held + books.other_due + books.vested[1] - books.claimed[1]
        return self.sale.supply - books.sold + books.held

    def compare(self, who: Wallet) -> None:
        """Counters, positions, lamports and tokens to the unit."""
        self._compare_sale(self.sale.state())
        self._compare_wallet(who)
        self._compare_tokens()

    def _compare_sale(self, now: dict[str, Any]) -> None:
        books, ledger = self.books, self.ledger
        names = {"sold": "sold", "raised": "raised", "held": "held", "burned": "burned", "status": "status"}
        names |= {"latched": "latched", "taxHeld": "tax_held", "otherDue": "other_due", "reclaimed": "reclaimed"}
        assert {name: now[name] for name in names} == {name: getattr(books, own) for name, own in names.items()}
        assert {name: now[f"{name}Due"] for name in DUE} == books.due
        if not books.refunding:
            assert books.tax_held == sum(books.due.values())
            if books.status != GRADUATED:
                assert books.raised == curves.reserve(self.sale.curve, books.sold)
        assert ledger.lamports(self.sale.key) == now["rent"] + books.raised + books.tax_held
        for name, key in self._paid().items():
            paid = books.claimed[0] if name == "team" else books.received[name]
            assert ledger.lamports(key) - self._before[name] == paid
        if books.status == GRADUATED:
            rent = ledger.svm.minimum_balance_for_rent_exemption(128)
            assert ledger.lamports(self.pooled.vesting) == rent + books.vested[0] - books.claimed[0]

    def _compare_wallet(self, who: Wallet) -> None:
        ledger = self.ledger
        assert ledger.lamports(who.keys.pubkey()) == who.lamports
        assert (ledger.tokens(who.tokens_at), ledger.tokens(who.sol_at)) == (who.tokens, who.wrapped)
        own = LAUNCHPAD.read_account("Referral", ledger.data(find(b"referral", who.keys.pubkey())))
        assert own["pending"] == who.pending
        position = self.sale.position(who.keys.pubkey())
        assert (position is not None) == who.has_position
        if position is not None:
            assert [position[name] for name in ("tokens", "earned")] == [who.waiting, who.earned]
            if who.waiting:
                assert (position["paid"], position["tax"]) == (who.paid, who.tax)

    def _compare_tokens(self) -> None:
        """Every token is in an account, withheld or gone."""
        books, ledger = self.books, self.ledger
        amounts = [ledger.tokens(wallet.tokens_at) for wallet in self.wallets]
        outside = {name: ledger.tokens(at) for name, at in self.outside.items()}
        vault, pooled = ledger.tokens(self.sale.vault.pubkey()), 0
        if books.pool[0]:
            pooled = ledger.tokens(self.pooled.tokens)
            assert [ledger.tokens(self.pooled.sol), pooled] == books.pool
        assert (vault, outside) == (self.vault(), books.outside)
        assert supply_of(self.sale) == books.supply
        assert sum(amounts) + sum(outside.values()) + vault + pooled + books.withheld == books.supply

    def withheld_on_chain(self) -> int:
        """What the fee extension of the mint and of every token account says."""
        if not self.sale.fee_bps:
            return 0
        at = [self.sale.vault.pubkey(), *self.outside.values(), *(wallet.tokens_at for wallet in self.wallets)]
        at += [self.pooled.tokens, self.pooled.accounts()["creatorTokens"]]
        raw = [self.ledger.data(key) for key in at]
        inside = sum(struct.unpack_from("<Q", data, data.index(FEE_AMOUNT, 165) + 4)[0] for data in raw if data)
        return inside + int(struct.unpack_from("<Q", self.ledger.data(self.sale.mint.pubkey()), 170 + 64)[0])

    def book(self, who: Wallet, value: int) -> int:
        """The tax of a trade into the books."""
        tax = trade_tax.tax_of(value, self.terms["taxBps"])
        split = trade_tax.split(tax, len(who.chain), self.terms["referralBps"])
        assert sum(split.referral) + split.marketing + split.treasury + split.burn + split.rewards == tax
        for level, share in enumerate(split.referral):
            who.earned[level] += share
        for name in ("marketing", "treasury", "burn", "rewards"):
            self.books.due[name] += getattr(split, name)
        self.books.due["referral"] += sum(split.referral)
        self.books.tax_held += tax
        return tax
