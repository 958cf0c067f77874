"""JSON of the venue to exact values, field by field. Pure: no I/O.

Numbers arrive as JSON floats on one route and as strings on the next; both become Decimal or integers of micros, never
a float. What does not fit raises `Odd` with a reason, and the caller quarantines that one row or answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from pydantic_core import from_json

from domain.copytrade.venue import ONE

MICRO: Final = Decimal(1).scaleb(-6)
NOISE: Final = Decimal(1).scaleb(-8)
"""A JSON float of a six-decimal amount may be off by its last binary digit; what is off by more is another number."""

LARGEST: Final = Decimal(10) ** 12
"""Shares or dollars. More is no amount of this venue, and would not fit a BIGINT of micros."""

_LATEST_MS: Final = Decimal(10**13)

_WALLET: Final = re.compile(r"0x[0-9a-f]{40}\Z")
_TX: Final = re.compile(r"0x[0-9a-f]{64}\Z")
_CONDITION: Final = re.compile(r"0x[0-9a-f]{64}\Z")
_SHORT_CONDITION: Final = re.compile(r"0x0[123][0-9a-f]{60}\Z")
"""Protocol V2 ids are 31 bytes; some routes pad them to 32, some do not (polymarket.md 2.3)."""
_PLAIN: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,6}))?\Z")
_PADDED: Final = re.compile(r"0x0[12][0-9a-f]{60}00\Z")
_TOKEN: Final = re.compile(r"[0-9]{1,78}\Z")

_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class Odd(ValueError):
    """Well-formed JSON of a shape we do not know. The message is the reason kept in quarantine."""


class NotJson(ValueError):
    """Not JSON at all: a proxy's page, a cut-off answer, nothing."""


def load(body: bytes | str) -> Any:
    """Parse a body; numbers with a fraction become Decimal, digit for digit.

    The first parser only refuses what is nested too deeply: imports elsewhere raise Python's recursion limit so far
    that a body of brackets would end the process (gateways.evm.envelopes.load).
    Raises: NotJson.
    """
    try:
        from_json(body, allow_inf_nan=False)
        return _DECODER.decode(body)
    except (ValueError, msgspec.DecodeError, InvalidOperation) as failure:
        raise NotJson("not JSON") from failure


def dump(value: Any) -> str:
    """JSON text of a parsed value: keys in their order, numbers digit for digit."""
    return _ENCODER.encode(value).decode()


def plain(value: Any) -> Any:
    """The value with Decimals as text: what a JSON column keeps without changing a digit."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value


def fields(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Odd(f"{what} is a {type(value).__name__}, not an object")
    return value


def items(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Odd(f"{what} is a {type(value).__name__}, not an array")
    return value


def text(row: Mapping[str, Any], name: str) -> str:
    """A text that may be missing or null: then "". The venue writes "" itself for what it does not know."""
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Odd(f"{name} is a {type(value).__name__}, not a text")
    return value


def flag(row: Mapping[str, Any], name: str, *, default: bool | None = None) -> bool:
    value = row.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, bool):
        raise Odd(f"{name} is {value!r}, neither true nor false")
    return value


def number(row: Mapping[str, Any], name: str) -> Decimal:
    """A number or a text of one."""
    found = optional_number(row, name)
    if found is None:
        raise Odd(f"{name} is missing")
    return found


def optional_number(row: Mapping[str, Any], name: str) -> Decimal | None:
    """None when it is missing, null or ""."""
    value = row.get(name)
    if value is None or value == "":
        return None
    return decimal(value, name)


def decimal(value: Any, name: str, largest: Decimal = LARGEST) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Odd(f"{name} is {value!r}, not a number")
    try:
        made = Decimal(value)
    except (InvalidOperation, ValueError):
        raise Odd(f"{name} is {str(value)[:40]!r}, not a number") from None
    if not made.is_finite() or abs(made) > largest:
        raise Odd(f"{name} is {str(made)[:40]}, out of all bounds")
    return made


def micros(value: Decimal, name: str) -> int:
    """A six-decimal amount as an integer. A float's last digit is forgiven, a seventh decimal is not.

    Raises: Odd; nothing is rounded away.
    """
    near = value.quantize(MICRO, ROUND_HALF_EVEN)
    if abs(near - value) > NOISE:
        raise Odd(f"{name} is {value}, with more than six decimals")
    return int(near.scaleb(6))


def level_micros(row: Mapping[str, Any], name: str) -> int:
    """A level's price or size, quickly: a book has a hundred of them and is read before every decision."""
    value = row.get(name)
    plain_text = _PLAIN.match(value) if isinstance(value, str) else None
    if plain_text is None:
        return micros(number(row, name), name)
    return int(plain_text[1]) * ONE + int((plain_text[2] or "").ljust(6, "0"))


def rounded_micros(value: Decimal) -> int:
    """For averages and marks, which have no exact micros: to the nearest, halves to even."""
    return int(value.quantize(MICRO, ROUND_HALF_EVEN).scaleb(6))


def price_micros(value: Decimal, name: str) -> int:
    """A price between 0 and 1."""
    found = micros(value, name)
    if not 0 <= found <= ONE:
        raise Odd(f"{name} is {value}, not between 0 and 1")
    return found


def seconds(row: Mapping[str, Any], name: str) -> int:
    """Whole epoch seconds, as number or text. Milliseconds in their place are refused, not guessed."""
    value = number(row, name)
    if value != value.to_integral_value() or not 1_000_000_000 <= value < 10_000_000_000:
        raise Odd(f"{name} is {value}, not a time in seconds")
    return int(value)


def milliseconds(row: Mapping[str, Any], name: str) -> int:
    value = decimal(row.get(name), name, _LATEST_MS)
    if value != value.to_integral_value() or value < 10**12:
        raise Odd(f"{name} is {value}, not a time in milliseconds")
    return int(value)


def moment(row: Mapping[str, Any], name: str) -> datetime | None:
    """A time as ISO text ("…Z", "… +00", date alone) or epoch seconds; None when missing or empty.

    Without a zone it is UTC: the venue writes no other.
    """
    value = row.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and not value.isdecimal():
        try:
            made = datetime.fromisoformat(value.strip())
        except ValueError:
            raise Odd(f"{name} is {value[:40]!r}, not a time") from None
        return made if made.tzinfo is not None else made.replace(tzinfo=UTC)
    return datetime.fromtimestamp(seconds(row, name), UTC)


def wallet(value: Any, name: str = "wallet") -> str:
    """Lower case; mixed case is accepted, its checksum is not looked at."""
    found = value.lower() if isinstance(value, str) else ""
    if not _WALLET.match(found):
        raise Odd(f"{name} is {str(value)[:60]!r}, not an address")
    return found


def tx_hash(value: Any) -> str:
    found = value.lower() if isinstance(value, str) else ""
    if not _TX.match(found):
        raise Odd(f"transaction hash is {str(value)[:80]!r}")
    return found


def condition_id(value: Any, name: str = "condition_id") -> str:
    """Lower case, 64 hex digits: the 62 of Protocol V2 are padded with 00, as the Data API does. "" stays ""."""
    if value is None or value == "":
        return ""
    found = value.lower() if isinstance(value, str) else ""
    if _SHORT_CONDITION.match(found):
        return found + "00"
    if not _CONDITION.match(found):
        raise Odd(f"{name} is {str(value)[:80]!r}")
    return found


def both_forms(ids: Iterable[str]) -> list[str]:
    """For questions: an id that may be a padded one of Protocol V2 is asked for without its padding too, since routes
    differ in what they take. A form nobody knows matches nothing.
    """
    found: list[str] = []
    for one in ids:
        found += [one, one[:-2]] if _PADDED.match(one) else [one]
    return found


def token_id(value: Any, name: str = "token_id") -> str:
    """Up to 78 decimal digits, as text always. "" stays ""."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _TOKEN.match(value):
        raise Odd(f"{name} is {str(value)[:90]!r}")
    return value
