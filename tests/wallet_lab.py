"""A user's wallet in a landing lab: asks for messages as the API gives them out, signs them, hands them in."""

from __future__ import annotations

import base64
from typing import Any

from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

from domain.launchpad.signing import MEMO
from domain.launchpad.transactions import Instruction, Meta, Plan
from gateways.solana.messages import read_signed
from storage.database import transaction
from storage.intents.solana import Issued, Submitted, issue, submit
from storage.launchpad.nonces import nonce_of
from tests.landing_lab import PAID, LandingLab, plain
from tests.svm_lab import SOL, pays


class Wallet:
    """`plan` is a payment of this wallet."""

    def __init__(self, lab: LandingLab) -> None:
        self.lab, self.key = lab, Keypair()
        self.address = str(self.key.pubkey())
        lab.svm.fund(self.key.pubkey(), 10 * SOL)
        lab.svm.warp(slots=100)

    def plan(self, key: str = "trade", *, cosigned: bool = False, **but: Any) -> Plan:
        """A payment of this wallet; `cosigned`: which the platform has to sign as well."""
        step = plain(pays(self.key, self.lab.payee, PAID))
        witness = Instruction(program=MEMO, accounts=(Meta(address=self.lab.platform, signer=True),), data="aGk=")
        steps = (step, witness) if cosigned else (step,)
        given = {"subject_kind": "sale", "instructions": steps, "most_lamports": 0, **but}
        return self.lab.transfer(key, payer=self.key, **given)

    async def ask(self, plan: Plan) -> Issued:
        async with transaction(self.lab.books.pool) as connection:
            nonce_id = await nonce_of(connection, plan.key)
        draft = await self.lab.drafting().draft(plan, nonce_id=nonce_id)
        async with transaction(self.lab.books.pool) as connection:
            return await issue(connection, plan, draft, platform=self.lab.platform)

    def sign(self, issued: Issued, key: Keypair | None = None) -> bytes:
        """As a wallet does: its own place is filled, the others are left as they were."""
        asked = VersionedTransaction.from_bytes(base64.b64decode(issued.transaction_base64))
        own, signatures = key or self.key, list(asked.signatures)
        signatures[list(asked.message.account_keys).index(self.key.pubkey())] = own.sign_message(
            read_signed(bytes(asked)).message
        )
        return bytes(VersionedTransaction.populate(asked.message, signatures))

    async def hand_in(self, issued: Issued, raw: bytes) -> Submitted:
        async with transaction(self.lab.books.pool) as connection:
            return await submit(
                connection, issued.transaction_id, self.lab.drafting().read_signed(raw), platform=self.lab.platform
            )
