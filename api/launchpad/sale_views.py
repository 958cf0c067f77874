"""The bodies of a sale's routes: what is asked, what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.http.inputs import WHOLE, Input
from api.launchpad.standing import Sol, SolPrice, Tokens
from api.operations.routes import OperationStatus
from domain.launchpad.addresses import ADDRESS_PATTERN
from domain.launchpad.curves import DECIMALS_MOST, U64
from domain.launchpad.quotes import SLIPPAGE_BPS
from domain.shared.errors import Rejected
from domain.shared.money import MICROS_MAX, parse_amount

ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
WALLET: Final = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"
SALE_EXAMPLE: Final = {
    "status": "active",
    "cancelled": False,
    "sold": "100000000",
    "raised_sol": "12.5",
    "spot_price_sol": "0.00000015",
    "soft_cap_sol": "10",
    "hard_cap_sol": "50",
    "ends_at": "2026-11-28T04:00:00.000000Z",
    "vesting": None,
}
QUOTE_EXAMPLE: Final = {
    "tokens": "1000000",
    "sol": "0.1020051",
    "tax_sol": "0.0020002",
    "max_sol": "0.1030251",
    "min_sol": None,
}
ISSUED_EXAMPLE: Final = {
    "transaction_base64": "AQAAAA==",
    "last_valid_block_height": 4711,
    "quote": QUOTE_EXAMPLE,
}
POSITION_EXAMPLE: Final = {
    "wallet": WALLET,
    "bought": "1000000",
    "sold": "0",
    "held": "1000000",
    "claimed": "0",
    "paid_sol": "0.1000049",
    "received_sol": "0",
    "tax_sol": "0.0020002",
    "refunded_sol": "0",
    "referrer": None,
    "created_at": "2026-11-21T04:00:00.000000Z",
    "updated_at": "2026-11-21T04:00:00.000000Z",
}
OPERATION_EXAMPLE: Final = {
    "id": ID,
    "kind": "sale_trade",
    "status": "running",
    "operation_id": ID,
    "transaction_id": ID,
}

Side = Literal["buy", "sell"]
SaleStatus = Literal["upcoming", "active", "graduated", "refunding", "refunded"]


def _amount(name: str, largest: int) -> BeforeValidator:
    def read(value: Any) -> int:
        if not isinstance(value, str):
            raise PydanticCustomError("amount", "amounts are decimal strings, not JSON numbers")
        try:
            return parse_amount(value, DECIMALS_MOST, largest)
        except Rejected as rejected:
            raise Rejected(rejected.code, rejected.detail, pointer=f"/{name}") from rejected

    return BeforeValidator(read)


def _nine(digits: int, *examples: str) -> WithJsonSchema:
    """At most nine decimals: billionths of a SOL, or of a token, whose own decimals may be fewer."""
    pattern = rf"^(0|[1-9][0-9]{{0,{digits - 1}}})(\.[0-9]{{1,9}})?$"
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


_SOL: Final = _nine(9, "0.5", "12")
_SOL_MOST: Final = 10 * MICROS_MAX
_TOKENS_MOST: Final = U64 * 10**DECIMALS_MOST
"""A supply without decimals: every base unit is a whole token."""
AskedSol = Annotated[int, _amount("sol", _SOL_MOST), _SOL]
MostSol = Annotated[int, _amount("max_sol", _SOL_MOST), _SOL]
LeastSol = Annotated[int, _amount("min_sol", _SOL_MOST), _SOL]
AskedTokens = Annotated[int, _amount("tokens", _TOKENS_MOST), _nine(18, "0.5", "1000000")]
Address = Annotated[str, StringConstraints(pattern=ADDRESS_PATTERN)]
Slippage = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 5_000}), WHOLE]
_NOT: Final = {"type": "null"}
_ONE_OF: Final[dict[str, Any]] = {
    "anyOf": [
        {"properties": {"sol": {"type": "string"}, "tokens": _NOT}, "required": ["sol"]},
        {"properties": {"tokens": {"type": "string"}, "sol": _NOT}, "required": ["tokens"]},
    ]
}


class QuoteAsk(Input):
    """Either `tokens` or `sol`: what a buyer pays or a seller receives, tax included. `slippage_bps`: how far the price
    may move until the trade lands."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF)
    side: Side
    sol: AskedSol | None = None
    tokens: AskedTokens | None = None
    slippage_bps: Slippage = SLIPPAGE_BPS


class BuyAsk(Input):
    """`max_sol`: the most that is paid, tax included. `referrer_wallet` registers the wallet with its first purchase
    here, for ever; naming the own wallet registers it without anybody, so that others can name it."""

    wallet: Address
    tokens: AskedTokens
    max_sol: MostSol
    referrer_wallet: Address | None = None


class SellAsk(Input):
    """`min_sol`: the least that is received, tax off."""

    wallet: Address
    tokens: AskedTokens
    min_sol: LeastSol


class WalletAsk(Input):
    wallet: Address


class VestingView(BaseModel):
    """What a graduated sale keeps for its team: nothing until `cliff_at`, then evenly until `ends_at`. `vested_…`: so
    far, by the chain's clock when the sale was read last; `claimed_…`: of that, paid out."""

    sol: Sol
    tokens: Tokens
    vested_sol: Sol
    vested_tokens: Tokens
    claimed_sol: Sol
    claimed_tokens: Tokens
    cliff_at: datetime
    ends_at: datetime


class SaleView(BaseModel):
    """Final on the chain. `raised_sol`: held for the tokens sold; after graduation what it had raised. `cancelled`: by
    its creator, before anything was bought; its status is `refunded` then, since nobody is owed anything."""

    status: SaleStatus
    cancelled: bool
    sold: Tokens
    raised_sol: Sol
    spot_price_sol: SolPrice
    soft_cap_sol: Sol
    hard_cap_sol: Sol
    ends_at: datetime
    vesting: VestingView | None


class QuoteView(BaseModel):
    """`sol`: what the buyer pays or the seller receives, with `tax_sol` in it. `max_sol` of a buy, `min_sol` of a sale:
    the limit to ask with."""

    tokens: Tokens
    sol: Sol
    tax_sol: Sol
    max_sol: Sol | None
    min_sol: Sol | None


class IssuedView(BaseModel):
    """What the wallet signs, unchanged, before the height is passed. `quote`: null for a claim; of a refund `sol` is
    what comes back."""

    transaction_base64: str
    last_valid_block_height: int
    quote: QuoteView | None


class PositionView(BaseModel):
    """`held`: bought and still in the sale's vault; `claimed`: taken out of it."""

    wallet: str
    bought: Tokens
    sold: Tokens
    held: Tokens
    claimed: Tokens
    paid_sol: Sol
    received_sol: Sol
    tax_sol: Sol
    refunded_sol: Sol
    referrer: str | None
    created_at: datetime
    updated_at: datetime


class PositionPage(BaseModel):
    items: list[PositionView]
    next_cursor: str | None


class AcceptedView(BaseModel):
    """The operation of its landing, for `GET /api/operations/{id}`. `operation_id`: the same, as in every 202."""

    id: str
    kind: str
    status: OperationStatus
    operation_id: str
    transaction_id: str
