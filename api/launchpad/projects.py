"""Projects of the launchpad: the list visitors see, and one token with everything about it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter
from pydantic import BaseModel

from api.deps import Deps
from api.http import bodies, paging
from api.http.documented import guarded
from api.launchpad.standing import TAG, Sol, SolPrice, Tokens, figures
from api.launchpad.sync import TAX_EXAMPLE, TaxView
from domain.launchpad.addresses import ADDRESS_PATTERN
from domain.launchpad.request import CurveType
from domain.shared.errors import Rejected
from storage.reads import projects as reads
from storage.reads import sync as standings
from storage.reads.base import Row

_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
_MINT: Final = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"
Status = Literal["upcoming", "active", "ended"]
Wallet = Annotated[
    str | None, QueryParameter(required=False, pattern=ADDRESS_PATTERN, description="Only this creator's.")
]
PROJECT: Final = {
    "spot_price_sol": "0.00000015",
    "market_cap_sol": "150",
    "liquidity_sol": "12.5",
    "priced_by": "curve",
    "progress_bps": 2500,
    "soft_cap_bps": 10000,
    "id": _ID,
    "status": "active",
    "name": "Acme Observatory",
    "symbol": "ACME",
    "description": "A telescope for everybody.",
    "token_address": _MINT,
    "sale_id": _ID,
    "sale_address": "9B5XszUGdMaxCZ7uSQhPzdks5ZQSmWxrmzCSvtJ6Ns6g",
    "creator_wallet": "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T",
    "cluster": "localnet",
    "logo_uri": "https://ipfs.io/ipfs/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    "banner_uri": None,
    "icon_uri": None,
    "metadata_uri": None,
    "links": {"twitter": None, "telegram": None, "website": "https://example.org", "discord": None},
    "total_supply": "1000000000",
    "decimals": 9,
    "allocation_bps": {"public": 4000, "team": 1500, "liquidity": 2500, "ecosystem": 1000, "reserve": 1000},
    "curve": {"type": "linear", "initial_price_sol": "0.0000001", "target_price_sol": "0.0000003"},
    "soft_cap_sol": "10",
    "hard_cap_sol": "50",
    "starts_at": "2026-11-21T04:00:00.000000Z",
    "ends_at": "2026-11-28T04:00:00.000000Z",
    "transfer_fee_bps": 0,
    "listing": False,
    "promo_tier_sol": "5",
    "created_at": "2026-11-21T03:00:00.000000Z",
}
STATS: Final = {
    "investors": 12,
    "trades": 31,
    "buys": 30,
    "volume_sol": "13.1",
    "last_trade_at": "2026-11-21T05:00:00.000000Z",
}
MIRROR: Final = {
    "file": "logo",
    "cid": "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    "arweave_id": "HOg1R7iI4br4ayDZj71JJHIXkMZ0We3TB4U8wQzKrUU",
    "uri": "https://arweave.net/raw/HOg1R7iI4br4ayDZj71JJHIXkMZ0We3TB4U8wQzKrUU",
}


class LinksView(BaseModel):
    twitter: str | None
    telegram: str | None
    website: str | None
    discord: str | None


class CurveView(BaseModel):
    type: CurveType
    initial_price_sol: SolPrice
    target_price_sol: SolPrice


class ProjectView(BaseModel):
    """Market capitalisation is price times supply. Liquidity is the SOL behind the token: raised on the curve, or put
    into its pool. `priced_by`: `curve`, or `pool_opening` once it graduated; trades in the pool are not followed.
    """

    id: str
    status: Status
    name: str
    symbol: str
    description: str
    token_address: str | None
    sale_id: str | None
    sale_address: str | None
    creator_wallet: str
    cluster: str
    logo_uri: str
    banner_uri: str | None
    icon_uri: str | None
    metadata_uri: str | None
    links: LinksView
    total_supply: Tokens
    decimals: int
    allocation_bps: dict[str, int]
    curve: CurveView
    soft_cap_sol: Sol
    hard_cap_sol: Sol
    starts_at: datetime
    ends_at: datetime
    transfer_fee_bps: int
    listing: bool
    promo_tier_sol: Sol | None
    created_at: datetime
    spot_price_sol: SolPrice | None
    market_cap_sol: Sol | None
    liquidity_sol: Sol | None
    priced_by: Literal["curve", "pool_opening"] | None
    progress_bps: int | None
    soft_cap_bps: int | None


class ProjectPage(BaseModel):
    items: list[ProjectView]
    next_cursor: str | None


class StatsView(BaseModel):
    """`volume_sol`: value of buys and sells along the curve, without tax."""

    investors: int
    trades: int
    buys: int
    volume_sol: Sol
    last_trade_at: datetime | None


class MirrorView(BaseModel):
    """A file of the launch (`metadata`, `logo`, `banner`, `icon`) that stands on Arweave as well as on IPFS."""

    file: str
    cid: str
    arweave_id: str
    uri: str


class TokenView(ProjectView):
    """`stats` and `tax` are null while there is no sale."""

    stats: StatsView | None
    tax: TaxView | None
    mirrors: list[MirrorView]


def body_of(row: Row) -> str:
    """A project's JSON with what its sale is worth."""
    return bodies.splice(row["body"], **figures(row))


@get("/api/launchpad/projects",
     **guarded("List projects", "invalid_cursor", tag=TAG, scopes=("launchpad:read",),
               response_example={"items": [PROJECT], "next_cursor": None}))  # fmt: skip
async def list_projects(
    request: Request[Any, Any, Any],
    deps: Deps,
    status: Annotated[Status | None, QueryParameter(required=False)] = None,
    creator_wallet: Wallet = None,
    curve: Annotated[CurveType | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[ProjectPage]:
    """Upcoming, active and ended ones, or those of one status. Paid places come first (on top, then with a banner, then
    any other promotion), within a place the newest first. Launches on their way, and undone ones, are not shown.
    """
    after = paging.after(request, cursor)
    found = await reads.projects(
        deps.reads, status=status, creator=creator_wallet, curve=curve, limit=limit, after=after
    )
    return paging.answer(request, [body_of(row) for row in found.rows], found.next_key)


@get("/api/launchpad/token/{address:str}",
     **guarded("Read a token", tag=TAG, scopes=("launchpad:read",),
               response_example=PROJECT | {"stats": STATS, "tax": TAX_EXAMPLE, "mirrors": [MIRROR]}))  # fmt: skip
async def read_token(deps: Deps, address: FromPath[str]) -> Response[TokenView]:
    """The project of a mint: details, price and progress, trades, and what became of its tax."""
    row = await reads.by_token(deps.reads, address) if "\x00" not in address else None
    if row is None:
        raise Rejected("not_found", "no token of ours has this address")
    stats = tax = None
    if row["sale_id"] is not None:
        stats = msgspec.Raw((await reads.stats(deps.reads, row["sale_id"])).encode())
        tax = msgspec.Raw((await standings.taxes(deps.reads, row["sale_id"])).encode())
    mirrors = msgspec.Raw(
        (await reads.mirrors(deps.reads, row["project_id"], deps.config.arweave_gateway_url)).encode()
    )
    return bodies.json_response(bodies.splice(body_of(row), stats=stats, tax=tax, mirrors=mirrors))
