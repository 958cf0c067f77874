"""One sale with its mint, vault and wallets, on a ledger with the real token programs."""

from __future__ import annotations

import struct
from typing import Any

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction_metadata import TransactionMetadata

from domain.launchpad import curves
from domain.launchpad.curves import Curve, Shape
from tests.programs.interface import LAUNCHPAD
from tests.programs.ledger import AMM_CONFIG, MILLION, POOL_PROGRAM, SOL, START, SYSTEM, TOKEN, Ledger, call, find

DUE = ("marketing", "treasury", "burn", "rewards", "referral")
"""Whom the tax is owed to."""
PLAIN = {
    "startPrice": 100 * SOL,
    "targetPrice": 300 * SOL,
    "saleSupply": 400_000_000 * 10**6,
    "liquiditySupply": 250_000_000 * 10**6,
    "teamSupply": 150_000_000 * 10**6,
    "otherSupply": 200_000_000 * 10**6,
    "softCap": 10 * SOL,
    "hardCap": 100 * SOL,
    "maxWallet": 0,
    "startsAt": START,
    "endsAt": START + 86_400,
    "cliffSeconds": 15_552_000,
    "vestSeconds": 62_208_000,
    "taxBps": 200,
    "referralBps": 2_500,
    "shape": int(Shape.LINEAR),
    "decimals": 6,
}


def curve_of(terms: dict[str, Any]) -> Curve:
    return Curve(
        Shape(terms["shape"]), terms["startPrice"], terms["targetPrice"], terms["saleSupply"], terms["decimals"]
    )


class Sale:
    """A mint whose whole supply is in the vault of the sale; `open` creates the sale itself."""

    def __init__(self, ledger: Ledger, token_program: Pubkey = TOKEN, fee_bps: int = 0, **change: Any) -> None:
        self.ledger, self.token_program = ledger, token_program
        self.creator, self.platform, self.other = ledger.wallet(), ledger.wallet(), ledger.wallet(SOL)
        self.mint, self.vault = ledger.keys(), ledger.keys()
        self.recipients = {name: ledger.wallet(SOL).pubkey() for name in ("marketing", "treasury", "rewards")}
        self.terms: dict[str, Any] = {**PLAIN, **change}
        self.curve = curve_of(self.terms)
        self.terms.setdefault("most", curves.sellable(self.curve, self.terms["hardCap"]))
        self.key = find(b"sale", self.mint.pubkey(), self.creator.pubkey(), self.platform.pubkey())
        self.supply = sum(self.terms[f"{part}Supply"] for part in ("sale", "liquidity", "team", "other"))
        self.fee_bps = fee_bps

    # the token

    def _new(self, keys: Keypair, size: int, owner: Pubkey) -> Instruction:
        rent = self.ledger.svm.minimum_balance_for_rent_exemption(size)
        return create_account(
            CreateAccountParams(
                from_pubkey=self.ledger.payer.pubkey(), to_pubkey=keys.pubkey(), lamports=rent, space=size, owner=owner
            )
        )

    def _token(self, data: bytes, *metas: tuple[Pubkey, bool, bool]) -> Instruction:
        return Instruction(self.token_program, data, [AccountMeta(*meta) for meta in metas])

    def mint_all(self, *, authority_stays: bool = False, freezable: bool = False, to: Pubkey | None = None) -> None:
        """The whole supply into the vault, and no more mint authority."""
        mint, payer = self.mint.pubkey(), self.ledger.payer.pubkey()
        steps = [self._new(self.mint, 82 if not self.fee_bps else 278, self.token_program)]
        if self.fee_bps:
            config = b"\x1a\x00\x00\x01" + bytes(self.key) + struct.pack("<HQ", self.fee_bps, 2**63)
            steps.append(self._token(config, (mint, False, True)))
        freeze = b"\x01" + bytes(payer) if freezable else b"\x00"
        steps.append(
            self._token(b"\x14" + bytes([self.terms["decimals"]]) + bytes(payer) + freeze, (mint, False, True))
        )
        self.ledger.send(*steps, signers=[self.mint])
        self.new_account(to or self.key, self.vault)
        self.ledger.send(
            self._token(
                b"\x07" + struct.pack("<Q", self.supply),
                *((mint, False, True), (self.vault.pubkey(), False, True), (payer, True, False)),
            )
        )
        if not authority_stays:
            self.ledger.send(self._token(b"\x06\x00\x00", (mint, False, True), (payer, True, False)))

    def new_account(self, owner: Pubkey, keys: Keypair | None = None) -> Pubkey:
        """A token account of `owner`."""
        keys = keys or self.ledger.keys()
        mint = self.mint.pubkey()
        steps = [self._new(keys, 178 if self.fee_bps else 165, self.token_program)]
        steps.append(self._token(b"\x12" + bytes(owner), (keys.pubkey(), False, True), (mint, False, False)))
        self.ledger.send(*steps, signers=[keys])
        return keys.pubkey()

    def transfer(self, source: Pubkey, to: Pubkey, owner: Keypair, amount: int) -> None:
        data = b"\x0c" + struct.pack("<QB", amount, self.terms["decimals"])
        metas = ((source, False, True), (self.mint.pubkey(), False, False), (to, False, True))
        self.ledger.send(self._token(data, *metas, (owner.pubkey(), True, False)), signers=[owner])

    # the sale

    def accounts(self, trader: Pubkey | None = None, tokens: Pubkey | None = None) -> dict[str, Pubkey]:
        """Every account by its IDL name; a test replaces the one it lies about."""
        found = {
            "creator": self.creator.pubkey(),
            "platform": self.platform.pubkey(),
            "payer": self.ledger.payer.pubkey(),
            "sale": self.key,
            "mint": self.mint.pubkey(),
            "vault": self.vault.pubkey(),
            "tokenProgram": self.token_program,
            "systemProgram": SYSTEM,
            "otherOwner": self.other.pubkey(),
            "poolProgram": POOL_PROGRAM,
            "ammConfig": AMM_CONFIG,
            **self.recipients,
        }
        if trader is not None:
            found |= {
                "trader": trader,
                "buyer": trader,
                "position": find(b"position", self.key, trader),
                "referral": find(b"referral", trader),
                "traderTokens": tokens or SYSTEM,
                "buyerTokens": tokens or SYSTEM,
            }
        return found

    def open(self, accounts: dict[str, Pubkey] | None = None, **change: Any) -> TransactionMetadata:
        step = call("createSale", {**self.accounts(), **(accounts or {})}, {**self.terms, **change})
        return self.ledger.send(step, signers=[self.creator, self.platform])

    def buy(
        self, who: Keypair, tokens: int, most: int = 2**64 - 1, into: Pubkey | None = None, **lies: Pubkey
    ) -> TransactionMetadata:
        accounts = {**self.accounts(who.pubkey(), into), **lies}
        return self.ledger.send(call("buy", accounts, tokens, most), signers=[who])

    def sell(self, who: Keypair, source: Pubkey, tokens: int, least: int = 0, **lies: Pubkey) -> TransactionMetadata:
        accounts = {**self.accounts(who.pubkey(), source), **lies}
        return self.ledger.send(call("sell", accounts, tokens, least), signers=[who])

    def claim(self, who: Pubkey, into: Pubkey, **lies: Pubkey) -> TransactionMetadata:
        return self.ledger.send(call("claim", {**self.accounts(who, into), **lies}))

    def refund(self, who: Pubkey, **lies: Pubkey) -> TransactionMetadata:
        return self.ledger.send(call("refund", {**self.accounts(who), **lies}))

    def register(self, who: Keypair, referrer: Pubkey | None, **lies: Pubkey) -> TransactionMetadata:
        accounts = {"user": who.pubkey(), "referral": find(b"referral", who.pubkey()), "systemProgram": SYSTEM}
        accounts["referrer"] = find(b"referral", referrer) if referrer else SYSTEM
        return self.ledger.send(call("registerReferral", {**accounts, **lies}), signers=[who])

    # what stands there

    def state(self) -> dict[str, Any]:
        return LAUNCHPAD.read_account("Sale", self.ledger.data(self.key))

    def position(self, who: Pubkey) -> dict[str, Any] | None:
        raw = self.ledger.data(find(b"position", self.key, who))
        return LAUNCHPAD.read_account("Position", raw) if raw else None

    def check_graduated(self) -> dict[str, Any]:
        """The same of a graduated sale: all that is left is the tax, and tokens somebody is owed."""
        now = self.state()
        assert (now["status"], now["raised"]) == (2, 0)
        assert now["taxHeld"] == sum(now[f"{part}Due"] for part in DUE)
        assert self.ledger.lamports(self.key) >= now["rent"] + now["taxHeld"]
        return now

    def check(self) -> dict[str, Any]:
        """The invariants that hold after every transaction of a sale nobody refunded."""
        now = self.state()
        assert now["raised"] == curves.reserve(self.curve, now["sold"])
        assert now["taxHeld"] == sum(now[f"{part}Due"] for part in DUE)
        assert self.ledger.lamports(self.key) >= now["rent"] + now["raised"] + now["taxHeld"]
        assert self.ledger.tokens(self.vault.pubkey()) >= self.supply - now["sold"] + now["held"]
        return now


def opened(token_program: Pubkey = TOKEN, fee_bps: int = 0, **change: Any) -> Sale:
    """A sale that has begun."""
    sale = Sale(Ledger(), token_program, fee_bps, **change)
    sale.mint_all()
    sale.open()
    return sale


def latched(token_program: Pubkey = TOKEN, fee_bps: int = 0) -> tuple[Sale, Keypair, Pubkey]:
    """A sale past its soft cap, a buyer and his tokens."""
    sale = opened(token_program, fee_bps)
    buyer = sale.ledger.wallet()
    sale.buy(buyer, 150 * MILLION)
    into = sale.new_account(buyer.pubkey())
    sale.claim(buyer.pubkey(), into)
    return sale, buyer, into


def copied(sale: Sale, source: Pubkey, owner: Pubkey = SYSTEM) -> Pubkey:
    """The bytes of an account at another address under another program."""
    fake = Pubkey.new_unique()
    sale.ledger.svm.set_account(fake, Account(10 * SOL, sale.ledger.data(source), owner))
    return fake
