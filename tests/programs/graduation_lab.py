"""Graduated sales: the accounts of a graduation by name, what follows it, and trades in the pool."""

from __future__ import annotations

import struct
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction_metadata import TransactionMetadata

from domain.launchpad.graduation import Graduation, graduation
from domain.launchpad.transfer_fee import NO_FEE, TransferFee
from tests.programs.interface import LAUNCHPAD, POOL
from tests.programs.lab import Sale, opened
from tests.programs.ledger import (
    AMM_CONFIG,
    ASSOCIATED,
    MILLION,
    POOL_PROGRAM,
    SOL,
    START,
    TOKEN,
    WRAPPED_SOL,
    associated,
    call,
    find,
    pool_call,
)

COST_MOST = 300_000_000
RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
ENDED = START + 86_400
AUTHORITY = find(b"vault_and_lp_mint_auth_seed", program=POOL_PROGRAM)


class Pooled:
    """What a sale becomes: its addresses in both programs, and the calls."""

    def __init__(self, sale: Sale) -> None:
        self.sale, self.ledger = sale, sale.ledger
        self.creator, self.pool = find(b"pool_creator", sale.key), find(b"pool", sale.key)
        self.vesting = find(b"vesting", sale.key)
        self.mint = sale.mint.pubkey()
        self.lp_mint = self._part(b"pool_lp_mint")
        self.sol, self.tokens = self._part(b"pool_vault", WRAPPED_SOL), self._part(b"pool_vault", self.mint)
        self.observation = self._part(b"observation")
        self.own_sol = associated(self.creator, WRAPPED_SOL)

    def _part(self, name: bytes, *more: Pubkey) -> Pubkey:
        return find(name, self.pool, *more, program=POOL_PROGRAM)

    def accounts(self) -> dict[str, Pubkey]:
        return {
            **self.sale.accounts(),
            "vesting": self.vesting,
            "poolCreator": self.creator,
            "pool": self.pool,
            "poolAuthority": AUTHORITY,
            "lpMint": self.lp_mint,
            "creatorSol": self.own_sol,
            "creatorTokens": associated(self.creator, self.mint, self.sale.token_program),
            "creatorLp": associated(self.creator, self.lp_mint),
            "poolSol": self.sol,
            "poolTokens": self.tokens,
            "createPoolFee": find(b"create_pool_fee", program=POOL_PROGRAM),
            "observation": self.observation,
            "solMint": WRAPPED_SOL,
            "splTokenProgram": TOKEN,
            "associatedTokenProgram": ASSOCIATED,
            "rent": RENT,
        }

    # the calls

    def graduate_step(self, cost: int = COST_MOST, **lies: Pubkey) -> Instruction:
        return call("graduate", {**self.accounts(), **lies}, cost)

    def graduate(self, cost: int = COST_MOST, **lies: Pubkey) -> TransactionMetadata:
        return self.ledger.send(self.graduate_step(cost, **lies))

    def claim_vested(self, into: Pubkey, **lies: Pubkey) -> TransactionMetadata:
        own = {"beneficiary": self.sale.other.pubkey(), "beneficiaryTokens": into}
        return self.ledger.send(call("claimVested", {**self.accounts(), **own, **lies}))

    def release_other(self, into: Pubkey, **lies: Pubkey) -> TransactionMetadata:
        return self.ledger.send(call("releaseOther", {**self.accounts(), "ownerTokens": into, **lies}))

    def burn_step(self, lamports: int, least: int, **lies: Pubkey) -> Instruction:
        return call("burnFromPool", {**self.accounts(), **lies}, lamports, least)

    def burn(self, lamports: int, least: int = 0, **lies: Pubkey) -> TransactionMetadata:
        return self.ledger.send(self.burn_step(lamports, least, **lies), signers=[self.sale.platform])

    def swap_accounts(self, who: Pubkey, sol: Pubkey, tokens: Pubkey, *, buy: bool) -> dict[str, Pubkey]:
        """The pool program's own names."""
        sides = [
            (sol, self.sol, TOKEN, WRAPPED_SOL),
            (tokens, self.tokens, self.sale.token_program, self.mint),
        ]
        (i_own, i_vault, i_program, i_mint), (o_own, o_vault, o_program, o_mint) = sides if buy else sides[::-1]
        return {
            "payer": who,
            "authority": AUTHORITY,
            "ammConfig": AMM_CONFIG,
            "poolState": self.pool,
            "inputTokenAccount": i_own,
            "outputTokenAccount": o_own,
            "inputVault": i_vault,
            "outputVault": o_vault,
            "inputTokenProgram": i_program,
            "outputTokenProgram": o_program,
            "inputTokenMint": i_mint,
            "outputTokenMint": o_mint,
            "observationState": self.observation,
        }

    def swap(
        self, who: Keypair, own: tuple[Pubkey, Pubkey], amount: int, least: int = 0, *, buy: bool, **lies: Pubkey
    ) -> TransactionMetadata:
        """`own`: the trader's accounts of wrapped SOL and of the token."""
        accounts = {**self.swap_accounts(who.pubkey(), *own, buy=buy), **lies}
        return self.ledger.send(pool_call("swapBaseInput", accounts, amount, least), signers=[who])

    # what stands there

    def plan(self, sold: int | None = None) -> Graduation:
        """What the rules in Python say of this sale, ending now or at `sold`."""
        fee = TransferFee(self.sale.fee_bps, 2**63) if self.sale.fee_bps else NO_FEE
        at = self.sale.state()["sold"] if sold is None else sold
        return graduation(self.sale.curve, at, self.sale.terms["liquiditySupply"], fee)

    def state(self) -> dict[str, Any]:
        return POOL.read_account("PoolState", self.ledger.data(self.pool))

    def vested(self) -> dict[str, Any]:
        return LAUNCHPAD.read_account("Vesting", self.ledger.data(self.vesting))


def supply_of(sale: Sale) -> int:
    return int(struct.unpack_from("<Q", sale.ledger.data(sale.mint.pubkey()), 36)[0])


def closed_sale(token_program: Pubkey = TOKEN, fee_bps: int = 0, **change: Any) -> tuple[Sale, Keypair, Pubkey]:
    """A sale whose whole supply was bought, the buyer and his tokens."""
    sale = opened(token_program, fee_bps, **change)
    buyer = sale.ledger.wallet(100_000 * SOL)
    sale.buy(buyer, 150 * MILLION)
    into = sale.new_account(buyer.pubkey())
    sale.claim(buyer.pubkey(), into)
    sale.buy(buyer, 2**63, into=into)
    assert sale.state()["status"] == 1
    return sale, buyer, into


def graduated(token_program: Pubkey = TOKEN, fee_bps: int = 0, **change: Any) -> tuple[Pooled, Keypair, Pubkey]:
    """A closed sale, graduated, a second later."""
    sale, buyer, into = closed_sale(token_program, fee_bps, **change)
    pooled = Pooled(sale)
    pooled.graduate()
    sale.ledger.set_time(START + 2)
    return pooled, buyer, into


def wrapped(sale: Sale, who: Keypair, lamports: int) -> Pubkey:
    """A new account of `who` with wrapped SOL."""
    account = associated(who.pubkey(), WRAPPED_SOL)
    metas = [(who.pubkey(), True, True), (account, False, True), (who.pubkey(), False, False)]
    metas += [(WRAPPED_SOL, False, False), (Pubkey.default(), False, False), (TOKEN, False, False)]
    made = Instruction(ASSOCIATED, b"\x01", [AccountMeta(*meta) for meta in metas])
    paid = Instruction(
        Pubkey.default(),
        struct.pack("<IQ", 2, lamports),
        [AccountMeta(who.pubkey(), True, True), AccountMeta(account, False, True)],
    )
    synced = Instruction(TOKEN, b"\x11", [AccountMeta(account, False, True)])
    sale.ledger.send(made, paid, synced, signers=[who])
    return account
