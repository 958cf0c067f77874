"""What clients that follow the launchpad poll, and what the WebSocket gives as a snapshot: the same bodies."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from pydantic import BaseModel

from api.deps import Deps
from api.http import bodies
from api.http.documented import guarded
from api.launchpad.sale_views import SaleStatus
from api.launchpad.standing import TAG, Sol, SolPrice, Tokens, figures, sol
from domain.launchpad.addresses import ADDRESS_BYTES, is_bytes
from domain.shared.errors import Rejected, Unavailable
from storage.reads import sync as reads
from storage.reads.base import Row

_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
_WALLET: Final = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"
_OTHER: Final = "9B5XszUGdMaxCZ7uSQhPzdks5ZQSmWxrmzCSvtJ6Ns6g"
STANDING_EXAMPLE: Final = {
    "spot_price_sol": "0.00000015", "market_cap_sol": "150", "liquidity_sol": "12.5", "priced_by": "curve",
    "progress_bps": 2500, "soft_cap_bps": 10000, "project_id": _ID, "status": "active", "token_address": _OTHER,
    "sale_id": _ID, "sale_status": "active", "cancelled": False, "sold": "100000000", "raised_sol": "12.5",
    "soft_cap_sol": "10", "hard_cap_sol": "50", "tax_sol": "0.25", "pool_address": None,
    "latched_at": "2026-11-21T05:00:00.000000Z", "graduated_at": None,
    "ends_at": "2026-11-28T04:00:00.000000Z", "investors": 12, "read_slot": 4711,
    "read_at": "2026-11-21T05:10:00.000000Z",
}  # fmt: skip
TAX_EXAMPLE: Final = {
    "collected_sol": "0.25", "escrow_sol": "0", "pending_marketing_sol": "0.01", "pending_treasury_sol": "0.01",
    "pending_rewards_sol": "0.01", "pending_burn_sol": "0.06", "pending_referral_sol": "0.01",
    "marketing_sol": "0.05", "treasury_sol": "0.05", "rewards_sol": "0.05", "burn_sol": "0",
    "distributions": 2, "last_distribution_at": "2026-11-21T05:00:00.000000Z",
}  # fmt: skip
_LEAF: Final = {"wallet": _OTHER, "level": 1, "earned_sol": "0.004", "transactions": 2, "children": []}
REFERRAL_EXAMPLE: Final = {
    "wallet": _WALLET, "uplines": [], "earned_sol": "0.004", "registered": True, "settled_sol": "0.004",
    "claimable_sol": "0.001", "claimed_sol": "0.003", "shown": 1, "tree": [_LEAF],
    "levels": [{"level": n, "wallets": int(n == 1), "earned_sol": "0.004" if n == 1 else "0",
                "transactions": 2 if n == 1 else 0} for n in range(1, 6)],
}  # fmt: skip


class StandingView(BaseModel):
    """As of `read_slot`, which is finalized. Figures are null while the project has no sale. `cancelled`: the sale was,
    by its creator, before anything was bought; its status is `refunded` then."""

    project_id: str
    status: Literal["upcoming", "active", "ended"]
    token_address: str | None
    sale_id: str | None
    sale_status: SaleStatus | None
    cancelled: bool
    spot_price_sol: SolPrice | None
    market_cap_sol: Sol | None
    liquidity_sol: Sol | None
    priced_by: Literal["curve", "pool_opening"] | None
    progress_bps: int | None
    soft_cap_bps: int | None
    sold: Tokens | None
    raised_sol: Sol | None
    soft_cap_sol: Sol | None
    hard_cap_sol: Sol | None
    tax_sol: Sol | None
    pool_address: str | None
    latched_at: datetime | None
    graduated_at: datetime | None
    ends_at: datetime
    investors: int
    read_slot: int | None
    read_at: datetime | None


class TaxView(BaseModel):
    """`collected`: by sales that reached their soft cap; `escrow`: held by those that did not yet, and may be refunded.
    `pending_…`: collected and not paid out; the others: paid out. What the burn spent bought tokens that are gone."""

    collected_sol: Sol
    escrow_sol: Sol
    pending_marketing_sol: Sol
    pending_treasury_sol: Sol
    pending_rewards_sol: Sol
    pending_burn_sol: Sol
    pending_referral_sol: Sol
    marketing_sol: Sol
    treasury_sol: Sol
    rewards_sol: Sol
    burn_sol: Sol
    distributions: int
    last_distribution_at: datetime | None


class UplineView(BaseModel):
    level: int
    wallet: str


class LevelView(BaseModel):
    level: int
    wallets: int
    earned_sol: Sol
    transactions: int


class TreeView(BaseModel):
    """`earned_sol`: by trades of this wallet, for the one at the root."""

    wallet: str
    level: int
    earned_sol: Sol
    transactions: int
    children: list[TreeView]


class ReferralView(BaseModel):
    """`earned`: by every trade so far, as the books have read; `settled`: of that, brought to the wallet's account on
    chain; `claimable` lies there. What stands on the chain is null while no node answers. `tree` shows the `shown`
    wallets nearest to the root; `levels` counts all."""

    wallet: str
    uplines: list[UplineView]
    levels: list[LevelView]
    tree: list[TreeView]
    shown: int
    earned_sol: Sol
    registered: bool | None
    settled_sol: Sol | None
    claimable_sol: Sol | None
    claimed_sol: Sol | None


async def project_state(deps: Deps, project_id: str) -> str | None:
    """JSON of StandingView; None when visitors may not know of it."""
    row = await reads.standing(deps.reads, project_id)
    return None if row is None else bodies.splice(row["body"], **figures(row))


async def tax_state(deps: Deps) -> str:
    """JSON of TaxView over all sales."""
    return await reads.taxes(deps.reads)


async def referral_state(deps: Deps, wallet: str) -> str:
    """JSON of ReferralView. A wallet nobody has heard of has an empty one."""
    below = await reads.downline(deps.reads, wallet)
    levels = await reads.levels(deps.reads, wallet)
    found = {
        "wallet": wallet,
        "uplines": await reads.uplines(deps.reads, wallet),
        "levels": [msgspec.Raw(level.encode()) for level in levels],
        "tree": tree(wallet, below),
        "shown": len(below),
        "earned_sol": sol((await reads.earned(deps.reads, wallet))["earned"]),
        **await _on_chain(deps, wallet),
    }
    return msgspec.json.encode(found).decode()


async def _on_chain(deps: Deps, wallet: str) -> dict[str, Any]:
    """What only the wallet's account on chain knows."""
    names = ("registered", "settled_sol", "claimable_sol", "claimed_sol")
    if deps.referral_account is None:
        return dict.fromkeys(names)
    try:
        account = await deps.referral_account(wallet)
    except Unavailable:
        return dict.fromkeys(names)
    earned, pending = (0, 0) if account is None else (account.earned, account.pending)
    return dict(zip(names, (account is not None, sol(earned), sol(pending), sol(earned - pending)), strict=True))


def tree(root: str, below: list[Row]) -> list[dict[str, Any]]:
    """Wallets under their parents, from rows that come parents first."""
    nodes: dict[str, dict[str, Any]] = {root: {"children": []}}
    for row in below:
        node = {name: row[name] for name in ("wallet", "level", "earned_sol", "transactions")} | {"children": []}
        nodes[row["wallet"]] = node
        nodes[row["parent"] if row["parent"] in nodes else root]["children"].append(node)
    children: list[dict[str, Any]] = nodes[root]["children"]
    return children


@get("/api/sync/launchpad/{project_id:uuid}",
     **guarded("Read a project's standing", tag=TAG, scopes=("launchpad:read",),
               response_example=STANDING_EXAMPLE))  # fmt: skip
async def sync_project(deps: Deps, project_id: FromPath[UUID]) -> Response[StandingView]:
    """Price, progress and investors; the snapshot of the WebSocket channel `project`."""
    found = await project_state(deps, str(project_id))
    if found is None:
        raise Rejected("not_found", "no such project")
    return bodies.json_response(found)


@get("/api/sync/tax-stats",
     **guarded("Read what became of the tax", tag=TAG, scopes=("launchpad:read",),
               response_example=TAX_EXAMPLE))  # fmt: skip
async def sync_tax(deps: Deps) -> Response[TaxView]:
    """Of all sales: collected, waiting, paid to marketing, treasury and holders' rewards, spent on burning; the
    snapshot of the WebSocket channel `tax-stats`."""
    return bodies.json_response(await tax_state(deps))


@get("/api/sync/referral/{wallet:str}",
     **guarded("Read a wallet's referrals", tag=TAG, scopes=("launchpad:read",),
               response_example=REFERRAL_EXAMPLE))  # fmt: skip
async def sync_referral(deps: Deps, wallet: FromPath[str]) -> Response[ReferralView]:
    """Its uplines, the tree of five levels below it, what it earned by their trades and can claim; the snapshot of the
    WebSocket channel `referral`."""
    if not is_bytes(wallet, ADDRESS_BYTES):
        raise Rejected("not_found", "not an address of Solana: base58 of 32 bytes")
    return bodies.json_response(await referral_state(deps, wallet))
