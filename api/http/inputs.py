"""Strict input: what a body or a query may hold. Unknown fields, JSON numbers for money and NUL bytes are refused.

Postgres cannot store NUL or lone surrogates in text, so both end here with a 400 instead of there with a 500.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from domain.exchange.curve import SHARE_DECIMALS
from domain.shared.errors import Rejected
from domain.shared.money import MICROS_MAX, USDC_DECIMALS, Micros, parse_amount

PLAIN: Final = r"^[^\u0000-\u001f\u007f]*$"
"""As a JSON Schema pattern: no control characters."""
UUID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
AMOUNT_PATTERN: Final = r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?$"
SHARES_PATTERN: Final = r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$"
SHARES_MAX: Final = 10**36 - 1


class Input(BaseModel):
    """Base of every request body."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=4_096)


def storable(text: str) -> str:
    """Refuse what Postgres cannot keep and terminals should not print."""
    if any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in text):
        raise PydanticCustomError("characters", "control characters and lone surrogates are not allowed")
    return text


def amount_of(value: Any, info: ValidationInfo, decimals: int, largest: int) -> int:
    """A decimal string as minor units; a refusal names the field."""
    if not isinstance(value, str):
        raise PydanticCustomError("amount", "amounts are decimal strings, not JSON numbers")
    try:
        return parse_amount(value, decimals, largest)
    except Rejected as rejected:
        raise Rejected(rejected.code, rejected.detail, pointer=f"/{info.field_name}") from rejected


def _usdc(value: Any, info: ValidationInfo) -> Micros:
    return Micros(amount_of(value, info, USDC_DECIMALS, MICROS_MAX))


def _shares(value: Any, info: ValidationInfo) -> int:
    return amount_of(value, info, SHARE_DECIMALS, SHARES_MAX)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise PydanticCustomError("flag", "true or false is wanted")
    return value


def _whole(value: Any) -> int:
    whole = value.is_integer() if isinstance(value, float) else isinstance(value, int) and not isinstance(value, bool)
    if not whole:
        raise PydanticCustomError("whole", "a whole number is wanted")
    return int(value)


def _moment(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise PydanticCustomError("moment", "the time needs a zone: end it with Z")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise PydanticCustomError("moment", "the time is out of range") from error


def _moment_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise PydanticCustomError("moment", "times are RFC 3339 strings")
    return value


Usdc = Annotated[
    Micros,
    BeforeValidator(_usdc),
    WithJsonSchema(
        {"type": "string", "pattern": AMOUNT_PATTERN, "description": "USDC, at most 6 decimals", "examples": ["100.25"]}
    ),
]
"""A decimal string on the wire, micros in the program."""

Shares = Annotated[
    int,
    BeforeValidator(_shares),
    WithJsonSchema(
        {"type": "string", "pattern": SHARES_PATTERN, "description": "Shares, at most 18 decimals", "examples": ["2.5"]}
    ),
]
"""A decimal string on the wire, atto-shares in the program."""

Id = Annotated[
    str,
    StringConstraints(pattern=UUID_PATTERN),
    WithJsonSchema({"type": "string", "format": "uuid", "pattern": UUID_PATTERN}),
]
Flag = Annotated[bool, BeforeValidator(_flag)]
"""true or false, not 1, "yes" or "off"; pydantic's own StrictBool is overruled by how Litestar validates."""
WHOLE: Final = BeforeValidator(_whole)
"""Last in the annotation of an int, after its bounds: a JSON number without fraction (5 and 5.0), not "5" or true."""
Moment = Annotated[datetime, BeforeValidator(_moment_text), AfterValidator(_moment)]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=120),
    AfterValidator(storable),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 120, "pattern": PLAIN}),
]
Note = Annotated[
    str,
    StringConstraints(max_length=500),
    AfterValidator(storable),
    WithJsonSchema({"type": "string", "maxLength": 500, "pattern": PLAIN}),
]
Email = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,24}$"),
]
Password = Annotated[
    str,
    StringConstraints(min_length=10, max_length=200),
    AfterValidator(storable),
    WithJsonSchema({"type": "string", "minLength": 10, "maxLength": 200, "pattern": PLAIN, "format": "password"}),
]
Address = Annotated[
    str,
    StringConstraints(max_length=60),
    AfterValidator(storable),
    WithJsonSchema({"type": "string", "pattern": "^0x([0-9a-f]{40}|[0-9A-F]{40})$|^0x[0-9a-fA-F]{40}$"}),
]
"""Checked by domain.exchange.addresses: mixed case must match the EIP-55 checksum."""
