"""Nonces of our wallets as the books have them, and the end of a drift by an operator."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from domain.exchange.custody import Wallets
from domain.shared.errors import Rejected
from storage.database import Pool, transaction
from storage.events import audit
from storage.reads.base import fetch_all, fetch_one

CODE: Final = "nonce_drift"


class WalletState(BaseModel):
    """`next_nonce` is null when the wallet never signed; `under_way` counts signed transactions that have not ended."""

    model_config = ConfigDict(frozen=True)
    address: str
    role: Literal["hot", "gas", "deposit"]
    next_nonce: int | None
    halted_reason: str | None
    under_way: int


_STATE: Final = """
SELECT n.address, CASE n.address WHEN %(hot)s THEN 'hot' WHEN %(gas)s THEN 'gas' ELSE 'deposit' END AS role,
  w.next_nonce, w.halted_reason, (SELECT count(*) FROM exchange.transactions t
    WHERE t.chain_id = %(chain)s AND t.wallet = n.address AND t.finished_at IS NULL) AS under_way
FROM unnest(%(names)s::text[]) AS n(address)
LEFT JOIN exchange.wallets w ON w.chain_id = %(chain)s AND w.address = n.address ORDER BY role DESC, n.address
"""
_BUSY: Final = """
SELECT address FROM exchange.sweeps WHERE chain_id = %(chain)s AND status = 'open'
UNION SELECT address FROM exchange.wallets WHERE chain_id = %(chain)s AND halted_reason IS NOT NULL
UNION SELECT wallet FROM exchange.transactions WHERE chain_id = %(chain)s AND finished_at IS NULL
"""


async def wallets(pool: Pool, chain_id: int, ours: Wallets) -> list[WalletState]:
    """The hot and the gas wallet, and every deposit address that is to send something now or was halted."""
    busy = {row["address"] for row in await fetch_all(pool, _BUSY, {"chain": chain_id})}
    return await _states(pool, chain_id, ours, sorted(busy | {ours.hot, ours.gas}))


async def wallet(pool: Pool, chain_id: int, ours: Wallets, address: str) -> WalletState:
    """Raises: Rejected not_found when we do not sign for this address."""
    known = await fetch_one(
        pool,
        "SELECT 1 AS found FROM exchange.deposit_addresses WHERE chain_id = %s AND address = %s",
        [chain_id, address],
    )
    if known is None and address not in (ours.hot, ours.gas):
        raise Rejected("not_found", f"{address} is no wallet that this installation signs for")
    [state] = await _states(pool, chain_id, ours, [address])
    return state


async def _states(pool: Pool, chain_id: int, ours: Wallets, names: list[str]) -> list[WalletState]:
    values = {"chain": chain_id, "hot": ours.hot, "gas": ours.gas, "names": names}
    return [WalletState.model_validate(row) for row in await fetch_all(pool, _STATE, values)]


async def waiting(pool: Pool, state: WalletState) -> list[str]:
    """Processes that wait for an operator because of this wallet's nonce, by their workflow ids."""
    rows = await fetch_all(
        pool,
        """SELECT o.workflow_id FROM platform.operations o
           LEFT JOIN exchange.sweeps s ON o.kind = 'sweep' AND s.id::text = o.subject_id
           WHERE o.status = 'needs_operator' AND o.failure_code = %(code)s
             AND CASE %(role)s WHEN 'hot' THEN o.kind = 'withdrawal' WHEN 'gas' THEN o.kind = 'sweep'
                 ELSE s.address = %(address)s END
           ORDER BY o.id""",
        {"code": CODE, "role": state.role, "address": state.address},
    )
    return [row["workflow_id"] for row in rows]


async def resume_wallet(pool: Pool, principal: str, chain_id: int, state: WalletState, *, mined: int) -> int:
    """Go on after the nonces that others used: the next nonce only ever goes up. Returns it.

    Args:  mined  the wallet's transaction count on the chain.
    """
    async with transaction(pool) as connection:
        cursor = await connection.execute(
            """UPDATE exchange.wallets SET next_nonce = greatest(next_nonce, %s), halted_reason = NULL
               WHERE chain_id = %s AND address = %s RETURNING next_nonce""",
            [mined, chain_id, state.address],
        )
        row = await cursor.fetchone()
        if row is None:
            raise Rejected("conflict", f"{state.address} has never signed")
        await audit(
            connection, principal, "wallet_resumed", f"wallet:{state.address}", chain_id=chain_id,
            nonce_before=state.next_nonce, nonce_after=row["next_nonce"], halted_reason=state.halted_reason,
        )  # fmt: skip
    return int(row["next_nonce"])
