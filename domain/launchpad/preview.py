"""What a launch would be, before anything is done: its cost, its tokens, its curve, its risks, and what is for ever.

Lamports, base units, prices in 10^-9 lamport per whole token. Source: UN-019, CG-069, CG-097; launchpad.md 16.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from domain.launchpad import promo
from domain.launchpad.addresses import on_curve
from domain.launchpad.curves import reserve, spot
from domain.launchpad.graduation import Graduation, graduation
from domain.launchpad.request import LaunchRequest
from domain.launchpad.transfer_fee import TransferFee
from domain.shared.money import format_amount

POINTS: Final = 11
MANY: Final = 1_000
"""So many wallets are hard to find."""


class LaunchPrices(BaseModel):
    """What the platform asks for, and what it pays at most. Lamports, basis points."""

    model_config = ConfigDict(frozen=True)
    creation_fee_lamports: int = 0
    listing_lamports: int = 5_000_000_000
    budget_lamports: int = 100_000_000
    tax_bps: int = 200
    referral_bps: int = 2_500


class ChainCosts(NamedTuple):
    """What the chain takes. `priority` is the most that is offered above the base fees; `graduation` the most that the
    pool and the team's account cost when the sale succeeds."""

    mint_rent: int
    vault_rent: int
    sale_rent: int
    base_fees: int
    priority: int
    graduation: int


class Cost(NamedTuple):
    """`most`: it may be less."""

    name: str
    lamports: int
    payer: str
    most: bool
    detail: str


class Share(NamedTuple):
    part: str
    bps: int
    tokens: int
    detail: str


class Point(NamedTuple):
    """After `sold` base units the next token costs `price`, and `raised` lamports are behind the sold ones."""

    sold: int
    price: int
    raised: int


class Caution(NamedTuple):
    code: str
    detail: str


class Preview(NamedTuple):
    """`soft_cap_tokens`: so many must be sold to reach the soft cap. `end`: graduation when everything is sold."""

    costs: tuple[Cost, ...]
    shares: tuple[Share, ...]
    points: tuple[Point, ...]
    most: int
    soft_cap_tokens: int
    end: Graduation
    warnings: tuple[Caution, ...]


IRREVERSIBLE: Final = (
    ("mint", "The token exists for ever, and nobody can change its name, symbol, picture, supply or transfer fee."),
    ("authorities", "Nobody can mint more, freeze accounts or change the metadata, not even the creator."),
    ("create_sale", "Curve, caps, dates, allocation and tax are fixed. Only a sale without any buy can be cancelled."),
    ("soft_cap", "Once the soft cap is reached no buyer is refunded any more; below it at the end all are, in full."),
    ("graduation", "70 % of the raised SOL and the pool's tokens become a pool; its LP tokens are burned: nobody can "
                   "take the liquidity out."),
    ("burn", "What is left of the public and the liquidity part is burned."),
    ("vesting", "30 % of the raised SOL and the team's tokens wait six months, then go to the creator until month 24."),
    ("promotion", "A promotion's payment is kept once the launch is live."),
)  # fmt: skip
"""Step and what it means, in the order in which they come."""


def preview(request: LaunchRequest, prices: LaunchPrices, chain: ChainCosts, now: datetime) -> Preview:
    """`request` has passed check_request."""
    curve, most, parts = request.curve, request.most, request.parts
    end = graduation(curve, most, parts.liquidity, TransferFee(request.transfer_fee_bps))
    costs, least = _costs(request, prices, chain), _least_for(request, request.soft_cap_lamports)
    return Preview(
        costs=costs,
        shares=_shares(request, end),
        points=tuple(
            Point(sold, spot(curve, sold), reserve(curve, sold))
            for sold in (most * step // (POINTS - 1) for step in range(POINTS))
        ),
        most=most,
        soft_cap_tokens=least,
        end=end,
        warnings=tuple(_warnings(request, prices, costs, least, now)),
    )


def paid_by(costs: tuple[Cost, ...], payer: str) -> int:
    """The most that one side pays."""
    return sum(cost.lamports for cost in costs if cost.payer == payer)


def _costs(request: LaunchRequest, prices: LaunchPrices, chain: ChainCosts) -> tuple[Cost, ...]:
    signer = request.signing
    found = [
        Cost("mint_rent", chain.mint_rent, signer, False, "keeps the token and its metadata on the chain"),
        Cost("vault_rent", chain.vault_rent, signer, False, "keeps the account that holds the supply"),
        Cost("sale_rent", chain.sale_rent, signer, False, "keeps the sale's account"),
        Cost("network_fees", chain.base_fees, signer, False, "signatures of the two transactions"),
        Cost("priority_fees", chain.priority, signer, True, "offered when the network is busy"),
        Cost("creation_fee", prices.creation_fee_lamports, "creator", False, "the platform's"),
        Cost("graduation", chain.graduation, "platform", True, "pool fee and rents, when the sale succeeds"),
    ]
    if request.promo_tier_lamports is not None:
        tier = request.promo_tier_lamports
        names = ", ".join(name.replace("_", " ") for name in promo.FEATURES[tier])
        found.append(Cost("promotion", tier, "creator", False, f"paid before the launch: {names}"))
    if request.listing:
        found.append(Cost("listing", prices.listing_lamports, "creator", False, "the listing package"))
    return tuple(found)


def _shares(request: LaunchRequest, end: Graduation) -> tuple[Share, ...]:
    pooled = format_amount(end.sent, request.decimals)
    details = {
        "public": "sold along the curve; what is not sold goes to the pool first, the rest is burned",
        "team": "to the creator's wallet: nothing for six months, then evenly until month 24",
        "liquidity": f"{pooled} to the pool when everything is sold; the rest is burned",
        "ecosystem": "to the creator's wallet after graduation",
        "reserve": "to the creator's wallet after graduation; holds what rounding leaves",
    }
    allocation, parts = request.allocation_bps, request.parts
    return tuple(Share(name, getattr(allocation, name), getattr(parts, name), said) for name, said in details.items())


def _least_for(request: LaunchRequest, lamports: int) -> int:
    """The fewest base units whose sale brings so much."""
    curve, low, high = request.curve, 0, request.most
    while low < high:
        middle = (low + high) // 2
        if reserve(curve, middle) >= lamports:
            high = middle
        else:
            low = middle + 1
    return low


def _warnings(
    request: LaunchRequest, prices: LaunchPrices, costs: tuple[Cost, ...], least: int, now: datetime
) -> list[Caution]:
    soft, hard = request.soft_cap_lamports, request.hard_cap_lamports
    lasts = request.ends_at - max(request.starts_at, now)
    brings = reserve(request.curve, request.most)
    by_platform = sum(c.lamports for c in costs if c.payer == "platform" and c.name != "graduation")
    table = (
        (soft * 10 >= hard * 9, "soft_cap_near_hard_cap", "the sale fails unless nearly everything is sold"),
        (soft * 10 < hard, "soft_cap_low", "with a tenth of the hard cap the sale succeeds and refunds end"),
        (brings * 100 < hard * 99, "hard_cap_out_of_reach", "all tokens are sold before the hard cap is reached"),
        (request.target_price > 100 * request.initial_price, "steep_curve", "the price rises more than a hundredfold"),
        (request.target_price * 10 < request.initial_price * 11, "flat_curve", "the price rises by less than a tenth"),
        (lasts < timedelta(hours=1), "short_sale", "buyers have less than an hour"),
        (lasts > timedelta(days=90), "long_sale", "buyers below the soft cap wait over 90 days for a refund"),
        (request.starts_at > now + timedelta(days=30), "late_start", "the sale opens in more than 30 days"),
        (request.logo is None, "no_logo", "wallets show a token without a picture as unknown"),
        (not request.max_wallet, "no_wallet_limit", "one wallet may buy everything: max_wallet_tokens prevents it"),
        (bool(request.max_wallet) and least > MANY * request.max_wallet, "wallet_limit_low",
         f"the soft cap needs more than {MANY} wallets that buy all they may"),
        (not on_curve(request.creator_wallet), "creator_signs_not", "no key belongs to the creator's address: a "
         "multisig's vault can receive what vests there, anything else is lost"),
        (request.transfer_fee_bps > 0, "transfer_fee", "transfers cost, and some venues refuse such tokens"),
        (request.promo_tier_lamports is not None and request.promo_payment_signature is None, "promotion_unpaid",
         "pay first, then name the payment in promo_payment_signature"),
        (by_platform > prices.budget_lamports, "over_budget", "more than the platform spends on one launch"),
    )  # fmt: skip
    return [Caution(code, detail) for holds, code, detail in table if holds]
