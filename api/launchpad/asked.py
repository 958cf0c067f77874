"""The body of `preview` and `deploy-token`: the wire form of domain.launchpad.request.LaunchRequest."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.http.inputs import PLAIN, WHOLE, Flag, Id, Input, Moment, storable
from domain.launchpad import request
from domain.launchpad.addresses import ADDRESS_PATTERN, SIGNATURE_PATTERN
from domain.launchpad.allocation import BPS, Allocation
from domain.launchpad.curves import DECIMALS_MOST, HARD_CAP_MOST, PRICE_DECIMALS, PRICE_MOST, U64
from domain.launchpad.request import SOL, SOL_DECIMALS, CurveType, LaunchRequest, Signing
from domain.shared.errors import Rejected
from domain.shared.money import parse_amount

_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
REQUEST_EXAMPLE: Final = {
    "name": "Holdfast Demo",
    "symbol": "HOLD",
    "description": "A token of the documentation.",
    "total_supply": "1000000000",
    "decimals": 9,
    "logo": _ID,
    "links": {"website": "https://holdfast.example"},
    "allocation_bps": {"public": 4000, "team": 2000, "liquidity": 1500, "ecosystem": 1500, "reserve": 1000},
    "curve": {"type": "exponential", "initial_price_sol": "0.00000001", "target_price_sol": "0.0000001"},
    "soft_cap_sol": "5",
    "hard_cap_sol": "15",
    "ends_at": "2026-12-21T00:00:00Z",
    "transfer_fee_bps": 100,
    "promo_tier_sol": None,
    "listing": False,
    "creator_wallet": "GsbwXfJraMomNxBcjYLcG3mxkBUiyWXAB32fGbSMQRdW",
    "signing": "creator",
}


def _exact(pointer: str, decimals: int, largest: int) -> BeforeValidator:
    """A decimal string as units of 10^-decimals. The pointer is given: a validator knows its field, not where it is."""

    def read(value: Any) -> int:
        if not isinstance(value, str):
            raise PydanticCustomError("amount", "amounts are decimal strings, not JSON numbers")
        try:
            return parse_amount(value, decimals, largest)
        except Rejected as rejected:
            raise Rejected(rejected.code, rejected.detail, pointer=pointer) from rejected

    return BeforeValidator(read)


def _decimal(digits: int, decimals: int, unit: str, example: str) -> WithJsonSchema:
    pattern = rf"^(0|[1-9][0-9]{{0,{digits - 1}}})(\.[0-9]{{1,{decimals}}})?$"
    return WithJsonSchema({"type": "string", "pattern": pattern, "description": unit, "examples": [example]})


def _cap(pointer: str, example: str) -> Any:
    unit = f"SOL, at most {SOL_DECIMALS} decimals"
    return Annotated[int, _exact(pointer, SOL_DECIMALS, HARD_CAP_MOST), _decimal(9, SOL_DECIMALS, unit, example)]


def _price(pointer: str, example: str) -> Any:
    unit = f"SOL per whole token, at most {PRICE_DECIMALS} decimals"
    return Annotated[int, _exact(pointer, PRICE_DECIMALS, PRICE_MOST), _decimal(2, PRICE_DECIMALS, unit, example)]


def _words(least: int, most: int) -> Any:
    schema = {"type": "string", "minLength": least, "maxLength": most, "pattern": PLAIN}
    constraints = StringConstraints(min_length=least, max_length=most)
    return Annotated[str, constraints, AfterValidator(storable), WithJsonSchema(schema)]


_DIGITS: Final = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)


def _supply(value: Any) -> int:
    """Also a JSON number: tokens are no money yet, and supplies are whole."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, float) and text.is_integer():
        text = str(int(text))
    if not isinstance(text, str) or _DIGITS.fullmatch(text) is None:
        raise PydanticCustomError("supply", "a whole number of tokens above zero, as a string of digits")
    return int(text)


Supply = Annotated[
    int,
    BeforeValidator(_supply),
    WithJsonSchema(
        {
            "description": "Whole tokens",
            "anyOf": [
                {"type": "string", "pattern": "^[1-9][0-9]{0,19}$", "examples": ["1000000000"]},
                {"type": "integer", "minimum": 1, "maximum": U64},
            ],
        }
    ),
]
Link = Annotated[
    str,
    StringConstraints(max_length=request.LINK_CHARACTERS, pattern=r"^https://[!-~]+$"),
    WithJsonSchema({"type": "string", "maxLength": request.LINK_CHARACTERS, "pattern": r"^https://[!-~]+$"}),
]
Symbol = Annotated[
    str,
    StringConstraints(pattern=r"^[!-~]+$", max_length=request.SYMBOL_CHARACTERS),
    WithJsonSchema({"type": "string", "maxLength": request.SYMBOL_CHARACTERS, "pattern": r"^[!-~]+$"}),
]
Wallet = Annotated[str, StringConstraints(pattern=ADDRESS_PATTERN)]
Signature = Annotated[str, StringConstraints(pattern=SIGNATURE_PATTERN)]
Share = Annotated[int, Field(ge=0, le=BPS), WHOLE]
PromoTier = Literal["0.5", "5", "50"]
TIERS: Final[dict[PromoTier, int]] = {"0.5": SOL // 2, "5": 5 * SOL, "50": 50 * SOL}


class LaunchLinks(Input):
    """https only."""

    twitter: Link | None = None
    telegram: Link | None = None
    website: Link | None = None
    discord: Link | None = None


class LaunchAllocation(Input):
    """Basis points of the supply; they sum to 10,000, and the team gets at most 2,000."""

    public: Share
    team: Share
    liquidity: Share
    ecosystem: Share
    reserve: Share


class LaunchCurve(Input):
    """How the price rises from the first to the last token of the public part."""

    type: CurveType
    initial_price_sol: _price("/curve/initial_price_sol", "0.00000001")  # type: ignore[valid-type]
    target_price_sol: _price("/curve/target_price_sol", "0.0000001")  # type: ignore[valid-type]


class NewLaunch(Input):
    """A token, its sale, its promotion. Pictures are ids of `POST /api/launchpad/assets`. `starts_at` left out: at
    once. `max_wallet_tokens`: the most that one wallet may buy. The rest that is left out gets the platform's default.
    """

    name: _words(1, request.NAME_BYTES)  # type: ignore[valid-type]
    symbol: Symbol
    description: _words(0, request.DESCRIPTION_CHARACTERS) = ""  # type: ignore[valid-type]
    total_supply: Supply
    decimals: Annotated[int, Field(ge=0, le=DECIMALS_MOST), WHOLE] = 9
    logo: Id | None = None
    banner: Id | None = None
    icon: Id | None = None
    links: LaunchLinks | None = None
    allocation_bps: LaunchAllocation | None = None
    curve: LaunchCurve
    soft_cap_sol: _cap("/soft_cap_sol", "5")  # type: ignore[valid-type]
    hard_cap_sol: _cap("/hard_cap_sol", "15")  # type: ignore[valid-type]
    starts_at: Moment | None = None
    ends_at: Moment
    transfer_fee_bps: Annotated[int, Field(ge=0, le=request.TRANSFER_FEE_BPS_MOST), WHOLE] = 0
    max_wallet_tokens: Supply | None = None
    promo_tier_sol: PromoTier | None = None
    promo_payment_signature: Signature | None = None
    listing: Flag = False
    creator_wallet: Wallet
    signing: Signing = "platform"

    def asked(self, now: datetime) -> LaunchRequest:
        """The checked request.

        Raises: Rejected validation_failed, amount_precision with pointers.
        """
        one = 10**self.decimals
        found = LaunchRequest(
            **self.model_dump(include=_SAME),
            links=request.Links(**self.links.model_dump()) if self.links else request.Links(),
            allocation_bps=Allocation(**self.allocation_bps.model_dump()) if self.allocation_bps else Allocation(),
            total_supply=self.total_supply * one,
            max_wallet=(self.max_wallet_tokens or 0) * one,
            curve_type=self.curve.type,
            initial_price=self.curve.initial_price_sol,
            target_price=self.curve.target_price_sol,
            soft_cap_lamports=self.soft_cap_sol,
            hard_cap_lamports=self.hard_cap_sol,
            starts_at=self.starts_at or now,
            promo_tier_lamports=TIERS[self.promo_tier_sol] if self.promo_tier_sol else None,
        )
        request.check_request(found, now)
        return found


_SAME: Final = {
    "name", "symbol", "description", "decimals", "logo", "banner", "icon", "ends_at", "transfer_fee_bps",
    "promo_payment_signature", "listing", "creator_wallet", "signing",
}  # fmt: skip
