"""What a launch would be: the same body as `deploy-token`, and nothing happens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal

from litestar import Response, post
from litestar.params import JSONBody
from pydantic import BaseModel

from api.deps import Deps
from api.http import bodies
from api.http.documented import guarded
from api.http.scopes import Principal
from api.launchpad.asked import REQUEST_EXAMPLE, NewLaunch
from api.launchpad.creators import creators_account
from domain.launchpad import preview as rules
from domain.launchpad import promo
from domain.launchpad.cids import cid_of
from domain.launchpad.curves import PRICE_DECIMALS
from domain.launchpad.launching import check_offered
from domain.launchpad.metadata import uri_of
from domain.launchpad.preview import Caution, LaunchPrices, Preview
from domain.launchpad.request import SOL_DECIMALS, LaunchRequest, check_pictures
from domain.shared.errors import Unavailable
from domain.shared.money import format_amount
from storage.reads import pictures

TAG: Final = "Launchpad"
Payer = Literal["creator", "platform"]


class CostView(BaseModel):
    """`at_most`: it may be less."""

    name: str
    sol: str
    paid_by: Payer
    at_most: bool
    detail: str


class CostsView(BaseModel):
    """`creator_sol`, `platform_sol`: the most that each pays; `platform_budget_sol` bounds the platform's part before
    graduation."""

    items: list[CostView]
    creator_sol: str
    platform_sol: str
    platform_budget_sol: str


class ShareView(BaseModel):
    part: str
    bps: int
    tokens: str
    detail: str


class PointView(BaseModel):
    """After `sold` tokens the next one costs `price_sol`, and the sale has raised `raised_sol`."""

    sold: str
    price_sol: str
    raised_sol: str


class OutcomeView(BaseModel):
    """`most_tokens`: what can be sold before the hard cap. The rest is what follows when all of it is sold: 70 % of the
    SOL to the pool, 30 % to the team, unsold tokens burned."""

    tokens_for_sale: str
    most_tokens: str
    soft_cap_tokens: str
    raised_sol: str
    final_price_sol: str
    market_cap_sol: str
    pool_sol: str
    pool_tokens: str
    team_sol: str
    burned_tokens: str
    tax_bps: int
    referral_bps: int


class CautionView(BaseModel):
    code: str
    detail: str


class FinalView(BaseModel):
    step: str
    detail: str


class PreviewView(BaseModel):
    cost: CostsView
    allocation: list[ShareView]
    curve: list[PointView]
    sale: OutcomeView
    warnings: list[CautionView]
    irreversible: list[FinalView]
    promo_memo: str
    """What the payment of a promotion has to carry as a memo (SPL Memo), beside the transfer."""
    promo_address: str | None
    """Whom it pays; null without a launchpad."""


EXAMPLE: Final = {
    "cost": {
        "items": [{"name": "mint_rent", "sol": "0.00541488", "paid_by": "creator", "at_most": False,
                   "detail": "keeps the token and its metadata on the chain"}],
        "creator_sol": "0.0130156",
        "platform_sol": "0.19816",
        "platform_budget_sol": "0.1",
    },
    "allocation": [{"part": "public", "bps": 4000, "tokens": "400000000",
                    "detail": "sold along the curve; what is not sold goes to the pool first, the rest is burned"}],
    "curve": [{"sold": "0", "price_sol": "0.00000001", "raised_sol": "0"},
              {"sold": "393535172.149009308", "price_sol": "0.0000000963", "raised_sol": "15"}],
    "sale": {
        "tokens_for_sale": "400000000",
        "most_tokens": "393535172.149009308",
        "soft_cap_tokens": "235201987.3",
        "raised_sol": "15",
        "final_price_sol": "0.0000000963",
        "market_cap_sol": "96.3",
        "pool_sol": "10.5",
        "pool_tokens": "109011234.5",
        "team_sol": "4.5",
        "burned_tokens": "45235123.4",
        "tax_bps": 200,
        "referral_bps": 2500,
    },
    "warnings": [{"code": "no_logo", "detail": "wallets show a token without a picture as unknown"}],
    "irreversible": [{"step": "mint", "detail": "The token exists for ever."}],
    "promo_memo": "holdfast:01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f",
    "promo_address": "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T",
}  # fmt: skip


def _sol(lamports: int) -> str:
    return format_amount(lamports, SOL_DECIMALS)


def _costs(found: Preview, prices: LaunchPrices) -> dict[str, Any]:
    return {
        "items": [
            {"name": c.name, "sol": _sol(c.lamports), "paid_by": c.payer, "at_most": c.most, "detail": c.detail}
            for c in found.costs
        ],
        "creator_sol": _sol(rules.paid_by(found.costs, "creator")),
        "platform_sol": _sol(rules.paid_by(found.costs, "platform")),
        "platform_budget_sol": _sol(prices.budget_lamports),
    }


def _outcome(request: LaunchRequest, found: Preview, prices: LaunchPrices) -> dict[str, Any]:
    last, end = found.points[-1], found.end
    one: int = 10**request.decimals

    def tokens(amount: int) -> str:
        return format_amount(amount, request.decimals)

    return {
        "tokens_for_sale": tokens(request.parts.public),
        "most_tokens": tokens(found.most),
        "soft_cap_tokens": tokens(found.soft_cap_tokens),
        "raised_sol": _sol(last.raised),
        "final_price_sol": format_amount(last.price, PRICE_DECIMALS),
        "market_cap_sol": format_amount(last.price * (request.total_supply // one), PRICE_DECIMALS),
        "pool_sol": _sol(end.pool_lamports),
        "pool_tokens": tokens(end.pool_tokens),
        "team_sol": _sol(end.vested_lamports),
        "burned_tokens": tokens(end.burned),
        "tax_bps": prices.tax_bps,
        "referral_bps": prices.referral_bps,
    }


def shown(request: LaunchRequest, found: Preview, prices: LaunchPrices) -> dict[str, Any]:
    """The preview as decimal strings."""
    decimals = request.decimals
    return {
        "cost": _costs(found, prices),
        "allocation": [
            {"part": s.part, "bps": s.bps, "tokens": format_amount(s.tokens, decimals), "detail": s.detail}
            for s in found.shares
        ],
        "curve": [
            {
                "sold": format_amount(point.sold, decimals),
                "price_sol": format_amount(point.price, PRICE_DECIMALS),
                "raised_sol": _sol(point.raised),
            }
            for point in found.points
        ],
        "sale": _outcome(request, found, prices),
        "warnings": [{"code": caution.code, "detail": caution.detail} for caution in found.warnings],
        "irreversible": [{"step": step, "detail": detail} for step, detail in rules.IRREVERSIBLE],
    }


@post("/api/launchpad/preview", status_code=200,
      **guarded("Preview a launch", "amount_precision", "launch_refused", tag=TAG, scopes=("launchpad:read",),
                body=True, request_example=REQUEST_EXAMPLE, response_example=EXAMPLE))  # fmt: skip
async def preview(deps: Deps, principal: Principal, data: JSONBody[NewLaunch]) -> Response[PreviewView]:
    """Every rule of a launch is applied to the body; then what it costs and who pays, who gets which tokens, eleven
    points of the curve, what a full sale brings, what to think about, and what can never be taken back. Of the chain
    only the creator's account is asked; without an answer that is a warning.
    """
    now, config = datetime.now(UTC), deps.config
    request = data.asked(now)
    if request.pictures:
        check_pictures(request, await pictures.own(deps.reads, principal.account_id, request.pictures.values()))
    if config.launch_policy is not None:
        check_offered(request, config.launch_policy)
    uri = uri_of(config.ipfs_gateway_url, cid_of(b""))
    from gateways.solana.launch_costs import launch_costs  # 12 MB that the API holds only once somebody asks

    costs = launch_costs(request, uri, config.price_most_micro_lamports)
    found = rules.preview(request, config.launch_prices, costs, now)
    told = await _told_by_chain(deps, request, rules.paid_by(found.costs, "creator"))
    found = found._replace(warnings=found.warnings + told)
    paid_to = config.launch_policy.platform if config.launch_policy is not None else None
    told_to_payer = {"promo_memo": promo.memo(principal.account_id), "promo_address": paid_to}
    return bodies.encoded(shown(request, found, config.launch_prices) | told_to_payer)


async def _told_by_chain(deps: Deps, request: LaunchRequest, pays: int) -> tuple[Caution, ...]:
    """What the creator's wallet holds against what it pays; a chain that is silent is a warning, not an error."""
    if deps.solana is None:
        return (Caution("no_chain", "this installation has no launchpad: launching answers launchpad_off"),)
    try:
        account = await creators_account(deps, request)
    except Unavailable:
        return (Caution("chain_silent", "no Solana node answers: what the creator's wallet is and holds is unknown"),)
    holds = account.lamports if account is not None else 0
    if holds >= pays:
        return ()
    return (Caution("wallet_low", f"the creator's wallet holds {_sol(holds)} SOL and pays up to {_sol(pays)}"),)
