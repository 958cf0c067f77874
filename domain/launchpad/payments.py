"""Did this transaction pay us? Only plain transfers of the system program count, from the payer's wallet to ours,
beside a memo that says for whom.

Balances alone would not do: who triggers a payout to the platform could call it his payment.
"""

from __future__ import annotations

import base64
from typing import Final

from domain.launchpad.signing import MEMO
from domain.launchpad.solana import ChainTransaction

SYSTEM_PROGRAM: Final = "11111111111111111111111111111111"
TRANSFER: Final = (2).to_bytes(4, "little")


def paid(transaction: ChainTransaction, payer: str, recipient: str, memo: str) -> int:
    """Lamports that the payer's plain transfers brought the recipient; a transaction that failed, or says nothing of
    this `memo`, brought nothing."""
    if transaction.err is not None or payer == recipient:
        return 0
    said = {base64.b64decode(step.data) for step in transaction.instructions if step.program == MEMO}
    if memo.encode() not in said:
        return 0
    total = 0
    for step in transaction.instructions:
        data = base64.b64decode(step.data)
        parties = tuple(account.address for account in step.accounts[:2])
        if step.program == SYSTEM_PROGRAM and data[:4] == TRANSFER and len(data) == 12:
            total += int.from_bytes(data[4:], "little") if parties == (payer, recipient) else 0
    return total
