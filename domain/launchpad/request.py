"""What a creator asks for: one token, its sale, its promotion; and every rule that needs nothing but the request.

Base units of the token, lamports, prices in 10^-9 lamport per whole token. The wire form is api/launchpad/asked.py;
`launches.request` keeps `model_dump(mode="json")` of this.
Source: api.md launchpad; LP-020, LP-021; CG-065, CG-066, CG-069, CG-097; launchpad.md 3, 4, 10, 16.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from domain.launchpad.addresses import check_address, check_signature, on_curve
from domain.launchpad.allocation import Allocation, Parts, check_allocation, parts_of
from domain.launchpad.curves import HARD_CAP_MOST, U64, Curve, Shape, check, pool_tokens, reserve, sellable
from domain.launchpad.transfer_fee import TransferFee, before_fee
from domain.shared.errors import Rejected
from domain.shared.money import format_amount

NAME_BYTES: Final = 32
SYMBOL_CHARACTERS: Final = 8
DESCRIPTION_CHARACTERS: Final = 1_000
LINK_CHARACTERS: Final = 200
TRANSFER_FEE_BPS_MOST: Final = 500
SOL_DECIMALS: Final = 9
SOL: Final = 10**SOL_DECIMALS
PROMO_TIERS: Final = (SOL // 2, 5 * SOL, 50 * SOL)
LONGEST_SALE: Final = timedelta(days=365)
"""From now to the end; the program allows a day more, so that a launch that takes a while still passes."""
TIME_LEAST_S: Final = {"platform": 60, "creator": 2_100}
"""From asking to the end, by who signs: a creator signs twice and may take a quarter of an hour each time."""
MINT_LEAST_S: Final = {"platform": 20, "creator": 1_830}
"""The same just before the mint is signed."""

CurveType = Literal["linear", "exponential", "logarithmic"]
Signing = Literal["platform", "creator"]
PICTURES: Final = ("logo", "banner", "icon")
SHAPES: Final[dict[CurveType, Shape]] = {
    "linear": Shape.LINEAR,
    "exponential": Shape.EXPONENTIAL,
    "logarithmic": Shape.LOGARITHMIC,
}


class Links(BaseModel):
    """https, or absent."""

    model_config = ConfigDict(frozen=True)
    twitter: str | None = None
    telegram: str | None = None
    website: str | None = None
    discord: str | None = None


class LaunchRequest(BaseModel):
    """`logo`, `banner`, `icon` are ids of uploaded pictures. `max_wallet`: base units one wallet may buy, 0 no limit.
    `promo_tier_lamports` names the tier, `promo_payment_signature` the transaction that paid for it."""

    model_config = ConfigDict(frozen=True)
    name: str
    symbol: str
    description: str = ""
    total_supply: int
    decimals: int = 9
    logo: str | None = None
    banner: str | None = None
    icon: str | None = None
    links: Links = Links()
    allocation_bps: Allocation = Allocation()
    curve_type: CurveType
    initial_price: int
    target_price: int
    soft_cap_lamports: int
    hard_cap_lamports: int
    starts_at: datetime
    ends_at: datetime
    transfer_fee_bps: int = 0
    max_wallet: int = 0
    promo_tier_lamports: int | None = None
    promo_payment_signature: str | None = None
    listing: bool = False
    creator_wallet: str
    signing: Signing = "platform"

    @property
    def parts(self) -> Parts:
        """The supply by who gets it."""
        return parts_of(self.total_supply, self.allocation_bps)

    @property
    def curve(self) -> Curve:
        """What the public part is sold along."""
        shape = SHAPES[self.curve_type]
        return Curve(shape, self.initial_price, self.target_price, self.parts.public, self.decimals)

    @property
    def most(self) -> int:
        """Q: base units that can be sold before the hard cap."""
        return sellable(self.curve, self.hard_cap_lamports)

    @property
    def pictures(self) -> dict[str, str]:
        """Ids of the pictures it has, by what they are."""
        return {name: value for name in PICTURES if (value := getattr(self, name)) is not None}

    def check_time_left(self, chain_s: int) -> None:
        """`chain_s`: the chain's clock, just before the token is made; a sale that has ended can never be created.

        Raises: Rejected launch_refused.
        """
        if int(self.ends_at.timestamp()) - chain_s < MINT_LEAST_S[self.signing]:
            detail = "by the chain's clock the sale would be over before it is created"
            raise Rejected("launch_refused", detail, pointer="/ends_at")


def check_request(request: LaunchRequest, now: datetime) -> None:
    """Every rule about the request alone.

    Raises: Rejected validation_failed with the field's pointer.
    """
    _check_words(request)
    check_allocation(request.allocation_bps)
    _check_supply(request)
    _check_curve(request)
    _check_caps(request)
    _check_dates(request, now)
    _check_promotion(request)
    check_address(request.creator_wallet, "/creator_wallet")
    signs = request.signing == "platform" or on_curve(request.creator_wallet)
    _need(signs, "/creator_wallet", "no key belongs to this address: it cannot sign the launch")


def check_pictures(request: LaunchRequest, own: Set[str]) -> None:
    """`own`: ids of the account's pictures among those asked for.

    Raises: Rejected launch_refused with the field's pointer.
    """
    for name, picture_id in request.pictures.items():
        if picture_id not in own:
            detail = f"{name}: there is no such picture, or it is not yours; POST /api/launchpad/assets first"
            raise Rejected("launch_refused", detail, pointer=f"/{name}")


def _need(holds: bool, pointer: str, detail: str) -> None:
    if not holds:
        raise Rejected("validation_failed", detail, pointer=pointer)


def _check_words(request: LaunchRequest) -> None:
    _need(1 <= len(request.name.encode()) <= NAME_BYTES, "/name", f"a name has 1 to {NAME_BYTES} bytes of UTF-8")
    _need(request.name == request.name.strip(), "/name", "a name neither begins nor ends with a space")
    fits = 1 <= len(request.symbol) <= SYMBOL_CHARACTERS and all("!" <= c <= "~" for c in request.symbol)
    _need(fits, "/symbol", f"a symbol has 1 to {SYMBOL_CHARACTERS} visible ASCII characters")
    length = len(request.description)
    _need(length <= DESCRIPTION_CHARACTERS, "/description", f"{DESCRIPTION_CHARACTERS} characters at most")
    for name, link in request.links:
        good = link is None or (link.startswith("https://") and len(link) <= LINK_CHARACTERS)
        _need(good, f"/links/{name}", f"a link begins with https:// and has {LINK_CHARACTERS} characters at most")


def _check_supply(request: LaunchRequest) -> None:
    _need(0 < request.total_supply <= U64, "/total_supply", "supply times ten to the decimals must fit 64 bits")
    _need(request.parts.public > 0, "/total_supply", "too few tokens to have any for sale")
    at_most = f"0 to {TRANSFER_FEE_BPS_MOST} basis points"
    _need(0 <= request.transfer_fee_bps <= TRANSFER_FEE_BPS_MOST, "/transfer_fee_bps", at_most)
    within = 0 <= request.max_wallet <= request.total_supply
    _need(within, "/max_wallet_tokens", "more than the supply")


def _check_curve(request: LaunchRequest) -> None:
    try:
        check(request.curve)
    except Rejected as rejected:
        raise Rejected(rejected.code, rejected.detail, pointer="/curve") from rejected


def _check_caps(request: LaunchRequest) -> None:
    """The soft cap lies within what the sale can bring, and wherever the sale ends the pool gets its tokens."""
    soft, hard = request.soft_cap_lamports, request.hard_cap_lamports
    _need(soft > 0, "/soft_cap_sol", "the soft cap is above zero")
    _need(soft <= hard, "/hard_cap_sol", "the hard cap is below the soft cap")
    _need(hard <= HARD_CAP_MOST, "/hard_cap_sol", "the hard cap is at most a hundred million SOL")
    curve, most = request.curve, request.most
    brings = reserve(curve, most)
    _need(
        brings >= soft,
        "/soft_cap_sol",
        f"the whole sale brings {format_amount(brings, SOL_DECIMALS)} SOL: the soft cap cannot be reached",
    )
    left, fee = request.parts.liquidity + curve.supply - most, TransferFee(request.transfer_fee_bps)
    wanted = before_fee(fee, before_fee(fee, pool_tokens(curve, most)))
    needs, there = (format_amount(tokens, request.decimals) for tokens in (wanted, left))
    detail = f"the pool needs {needs} tokens at the final price, {there} are left: raise this part or the target price"
    _need(wanted <= left, "/allocation_bps/liquidity", detail)


def _check_dates(request: LaunchRequest, now: datetime) -> None:
    least = TIME_LEAST_S[request.signing]
    soon = f"a launch signed by the {request.signing} needs {least} seconds until the end"
    _need(request.ends_at >= now + timedelta(seconds=least), "/ends_at", soon)
    _need(request.ends_at > request.starts_at, "/ends_at", "the end must lie after the start")
    _need(request.ends_at <= now + LONGEST_SALE, "/ends_at", f"at most {LONGEST_SALE.days} days from now")


def _check_promotion(request: LaunchRequest) -> None:
    tier, signature = request.promo_tier_lamports, request.promo_payment_signature
    _need(tier is None or tier in PROMO_TIERS, "/promo_tier_sol", "the tiers are 0.5, 5 and 50 SOL")
    _need(tier is None or request.logo is not None, "/logo", "a promotion needs a logo")
    _need(signature is None or tier is not None, "/promo_payment_signature", "paid for no tier: name promo_tier_sol")
    if signature is not None:
        check_signature(signature, "/promo_payment_signature")
