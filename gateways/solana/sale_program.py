"""The launch program's client: its instructions as plain values, its accounts read back.

Nothing here talks to a node. Account flags come from the IDL, addresses from sale_addresses, bytes from anchorpy.
"""

from __future__ import annotations

import base64
import dataclasses
from typing import Any, Final

from construct import Container
from solders.pubkey import Pubkey

from domain.launchpad.sale import (
    PositionState,
    Recipients,
    ReferralState,
    SaleKeys,
    SaleState,
    Terms,
    VestingState,
)
from domain.launchpad.transactions import Instruction, Meta
from domain.shared.errors import Unavailable
from gateways.solana.sale_addresses import ASSOCIATED, SPL_TOKEN, SYSTEM, SaleAddresses, associated
from gateways.solana.sale_idl import interface
from programs.interface import snake, tag

POSITION_TAG: Final = tag("account", "Position")
SALE_AT: Final = 8
"""Where a Position, and a Vesting, names its sale: what a search for the positions of a sale compares."""


class NotOurs(Unavailable):
    """An account is not of the kind that was looked for: at an address of ours only a node that lies says so."""

    def __init__(self, detail: str) -> None:
        super().__init__("solana_unavailable", detail)


class SaleProgram:
    """`addresses` of everything the program derives; one method per instruction, one per account."""

    def __init__(self, program: str, pool_program: str) -> None:
        self.program = program
        self.addresses = SaleAddresses(program, pool_program)
        self._known = interface()

    # instructions

    def create_sale(self, keys: SaleKeys, payer: str, recipients: Recipients, terms: Terms) -> Instruction:
        """Signed by creator, platform and payer; the vault holds the whole supply already."""
        named = {
            **self._of(keys),
            **{"payer": payer, "marketing": recipients.marketing, "treasury": recipients.treasury},
            **{"rewards": recipients.rewards, "otherOwner": recipients.other_owner},
            **{"poolProgram": self.addresses.pool_program, "ammConfig": self.addresses.amm_config()},
        }
        return self._call("createSale", named, terms=terms.model_dump())

    def cancel_sale(self, keys: SaleKeys) -> Instruction:
        return self._call("cancelSale", self._of(keys))

    def buy(self, keys: SaleKeys, trader: str, tokens: int, max_lamports: int) -> tuple[Instruction, ...]:
        """With the trader's token account before it: the sale may latch until the transaction lands."""
        trade = self._call("buy", self._of(keys, trader), tokens=tokens, max_lamports=max_lamports)
        return (self.open_tokens(trader, trader, keys.mint, keys.token_program), trade)

    def sell(self, keys: SaleKeys, trader: str, tokens: int, min_lamports: int) -> Instruction:
        return self._call("sell", self._of(keys, trader), tokens=tokens, min_lamports=min_lamports)

    def claim(self, keys: SaleKeys, payer: str, buyer: str) -> tuple[Instruction, ...]:
        opened = self.open_tokens(payer, buyer, keys.mint, keys.token_program)
        return (opened, self._call("claim", self._of(keys, buyer)))

    def refund(self, keys: SaleKeys, buyer: str) -> Instruction:
        return self._call("refund", self._of(keys, buyer))

    def close_position(self, keys: SaleKeys, buyer: str) -> Instruction:
        return self._call("closePosition", self._of(keys, buyer))

    def register_referral(self, user: str, referrer: str | None) -> Instruction:
        """`referrer` must be registered; None registers without an upline."""
        named = {"user": user, "referral": self.addresses.referral(user), "systemProgram": SYSTEM}
        return self._call(
            "registerReferral", {**named, "referrer": self.addresses.referral(referrer) if referrer else SYSTEM}
        )

    def settle_referral(self, keys: SaleKeys, trader: str, uplines: tuple[str, ...]) -> Instruction:
        """`uplines`: the wallets of the trader's chain, nearest first."""
        chain = [self.addresses.referral(user) for user in uplines]
        named = {f"upline{level}": (chain[level - 1 :] or [SYSTEM])[0] for level in range(1, 6)}
        return self._call("settleReferral", {**self._of(keys, trader), **named})

    def claim_referral(self, user: str) -> Instruction:
        return self._call("claimReferral", {"user": user, "referral": self.addresses.referral(user)})

    def distribute(self, keys: SaleKeys, recipients: Recipients) -> Instruction:
        return self._call("distribute", {**self._of(keys), **recipients.model_dump()})

    def graduate(self, keys: SaleKeys, payer: str, max_cost: int) -> Instruction:
        named = {"payer": payer, "vesting": self.addresses.vesting(keys.address), **self._pool(keys)}
        return self._call("graduate", {**self._of(keys), **named}, max_cost=max_cost)

    def claim_vested(self, keys: SaleKeys, payer: str, beneficiary: str) -> tuple[Instruction, ...]:
        tokens = associated(beneficiary, keys.mint, keys.token_program)
        named = {"vesting": self.addresses.vesting(keys.address), "beneficiary": beneficiary}
        opened = self.open_tokens(payer, beneficiary, keys.mint, keys.token_program)
        return (opened, self._call("claimVested", {**self._of(keys), **named, "beneficiaryTokens": tokens}))

    def release_other(self, keys: SaleKeys, payer: str, owner: str) -> tuple[Instruction, ...]:
        tokens = associated(owner, keys.mint, keys.token_program)
        opened = self.open_tokens(payer, owner, keys.mint, keys.token_program)
        return (opened, self._call("releaseOther", {**self._of(keys), "ownerTokens": tokens}))

    def reclaim(self, keys: SaleKeys) -> Instruction:
        return self._call("reclaim", self._of(keys))

    def burn(self, keys: SaleKeys, tokens: int) -> Instruction:
        return self._call("burn", self._of(keys), tokens=tokens)

    def burn_from_pool(self, keys: SaleKeys, lamports: int, min_tokens: int) -> Instruction:
        named = {**self._of(keys), **self._pool(keys)}
        return self._call("burnFromPool", named, lamports=lamports, min_tokens=min_tokens)

    def harvest(self, keys: SaleKeys, rewards: str) -> Instruction:
        tokens = associated(rewards, keys.mint, keys.token_program)
        return self._call("harvest", {**self._of(keys), "rewardsTokens": tokens})

    def open_tokens(self, payer: str, owner: str, mint: str, token_program: str) -> Instruction:
        """The owner's token account, when it is missing; changes nothing when it is there."""
        return Instruction(
            program=ASSOCIATED,
            accounts=(
                Meta(address=payer, signer=True, writable=True),
                Meta(address=associated(owner, mint, token_program), writable=True),
                *(Meta(address=key) for key in (owner, mint, SYSTEM, token_program)),
            ),
            data=base64.b64encode(b"\x01").decode(),
        )

    # accounts

    def read_sale(self, address: str, data: bytes) -> SaleState:
        """Raises: NotOurs."""
        return SaleState(address=address, **self._read("Sale", data))

    def read_position(self, address: str, data: bytes) -> PositionState:
        """Raises: NotOurs."""
        return PositionState(address=address, **self._read("Position", data))

    def read_referral(self, data: bytes) -> ReferralState:
        """Raises: NotOurs."""
        found = self._read("Referral", data)
        found["upline"] = [key for key in found["upline"] if key != SYSTEM]
        return ReferralState(**found)

    def read_vesting(self, data: bytes) -> VestingState:
        """Raises: NotOurs."""
        return VestingState(**self._read("Vesting", data))

    # how

    def _of(self, keys: SaleKeys, trader: str | None = None) -> dict[str, str]:
        """Accounts by the names the IDL gives them."""
        named = {
            **{"sale": keys.address, "mint": keys.mint, "vault": keys.vault, "creator": keys.creator},
            **{"platform": keys.platform, "tokenProgram": keys.token_program, "systemProgram": SYSTEM},
        }
        if trader is not None:
            tokens = associated(trader, keys.mint, keys.token_program)
            named |= {
                **{"trader": trader, "buyer": trader, "traderTokens": tokens, "buyerTokens": tokens},
                "position": self.addresses.position(keys.address, trader),
                "referral": self.addresses.referral(trader),
            }
        return named

    def _pool(self, keys: SaleKeys) -> dict[str, str]:
        found = self.addresses.pool_accounts(keys.address, keys.mint, keys.token_program)
        return {**found, "splTokenProgram": SPL_TOKEN}

    def _call(self, name: str, named: dict[str, str], **arguments: Any) -> Instruction:
        named = {**named, "program": self.program}
        metas = (
            Meta(address=named[account], signer=signs, writable=changes)
            for account, signs, changes in self._known.accounts[name]
        )
        data = self._known.coder.instruction.encode(snake(name), arguments)
        return Instruction(program=self.program, accounts=tuple(metas), data=base64.b64encode(data).decode())

    def _read(self, kind: str, data: bytes) -> dict[str, Any]:
        if len(data) != self._known.sizes[kind] or data[:8] != tag("account", kind):
            raise NotOurs(f"not an account of the kind {kind}")
        found: dict[str, Any] = plain(self._known.coder.accounts.decode(data))
        return found


def plain(value: Any) -> Any:
    """What anchorpy decoded, as numbers, texts, lists and dictionaries."""
    if isinstance(value, Pubkey):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Container):
        return {name: plain(part) for name, part in value.items() if not name.startswith("_")}
    return [plain(part) for part in value] if isinstance(value, list) else value
