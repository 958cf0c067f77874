"""What a request asks for, and how the venue refuses it: parameters in either spelling, cursors, error envelopes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from multidict import MultiMapping

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z")
CONDITION = re.compile(r"0x[0-9a-fA-F]{62,64}\Z")
STATUSES = {
    "invalid_request": 400, "not_found": 404, "method_not_allowed": 405, "rate_limited": 429, "internal": 500,
    "request_timeout": 503, "dependency_unavailable": 503,
}  # fmt: skip
_SNAKE = re.compile(r"(?<=[a-z0-9])([A-Z])")


class Refused(Exception):
    """The v2 envelope with a code; routes of v1, the CLOB and Gamma write only the text."""

    def __init__(self, error: str, code: str = "invalid_request", parameter: str = "", status: int = 0) -> None:
        super().__init__(error)
        self.error, self.code, self.parameter = error, code, parameter
        self.status = status or STATUSES[code]


class Asked:
    """The query. Names are read in snake_case and camelCase, `condition` also as condition_id."""

    def __init__(self, query: MultiMapping[str]) -> None:
        self._values: dict[str, str] = {}
        self.repeated: dict[str, list[str]] = {}
        for name, value in query.items():
            snake = _SNAKE.sub(lambda found: "_" + found[1].lower(), name)
            snake = {"condition_id": "condition", "market": "condition"}.get(snake, snake)
            self._values.setdefault(snake, value)
            self.repeated.setdefault(snake, []).append(value)

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, default)

    def number(self, name: str, default: int, high: int | None = None, *, clamp: bool = False) -> int:
        """An integer of at least 0. Above `high` it is refused, or cut to it where the route does so."""
        given = self._values.get(name, "")
        if not given:
            return default
        if not given.isascii() or not given.isdecimal():
            raise Refused(f"Failed to deserialize query string: {name}: invalid digit found in string", parameter=name)
        if high is not None and int(given) > high:
            if clamp:
                return high
            raise Refused(f"{name} must be at most {high}", parameter=name)
        return int(given)

    def flag(self, name: str, default: bool) -> bool:
        given = self._values.get(name, "")
        if given not in ("", "true", "false"):
            raise Refused(f"{name} must be true or false", parameter=name)
        return default if not given else given == "true"

    def choice(self, name: str, allowed: tuple[str, ...], said: str) -> str:
        given = self._values.get(name, "").upper()
        if given and given not in allowed:
            raise Refused(said, parameter=name)
        return given

    def listed(self, name: str, most: int) -> list[str]:
        """A comma list; repeating the parameter adds to it."""
        values = list(dict.fromkeys(part for one in self.repeated.get(name, []) for part in one.split(",") if part))
        if len(values) > most:
            raise Refused(f"at most {most} distinct values", parameter=name)
        return values

    def conditions(self) -> list[str]:
        values = self.listed("condition", 20)
        for value in values:
            if not CONDITION.match(value):
                raise Refused(f"invalid condition id: {value}", parameter="condition")
        return [value.lower() for value in values]

    def user(self, *, required: bool) -> str:
        """A lower-case address; "" where none is needed. A protocol contract is no user."""
        given = self._values.get("user", "")
        if not given:
            if required:
                raise Refused("required query param 'user' not provided", parameter="user")
            return ""
        if not ADDRESS.match(given):
            raise Refused("invalid user address", parameter="user")
        if given.lower() in CONTRACTS:
            raise Refused("'user' is a known protocol contract address", parameter="user")
        return given.lower()

    def no_offset(self) -> None:
        if "offset" in self._values:
            raise Refused("offset is not supported, use cursor", parameter="offset")


CONTRACTS = frozenset(
    address.lower()
    for address in (
        "0x4bFb41d5B3570DeFd03C39a9A4D8dE6Bd8B8982E", "0xC5d563A36AE78145C45a50134d48A1215220f80a",
        "0xE111180000d2663C0091e4f400237545B87B996B", "0xe2222d279d744050d28e00520010520000310F59",
        "0xe2222d002000ba0053cef3375333610f64600036", "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa",
        "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045", "0x006F54F7f9A22e0000CC2AB60031000000ae9fEF",
        "0xd91E80cF2E7be2e162c6513ceD06f1dD0dA35296", "0xAdA100Db00Ca00073811820692005400218FcE1f",
        "0xadA2005600Dec949baf300f4C6120000bDB6eAab",
    )
)  # fmt: skip


def seal(key: bytes, kind: str, params: Mapping[str, Any]) -> str:
    """An opaque, signed cursor of one kind of page."""
    data = {"type": kind, "params": dict(params)}
    signed = hmac.new(key, json.dumps(data, sort_keys=True).encode(), hashlib.sha256).hexdigest()
    return base64.urlsafe_b64encode(json.dumps({"data": data, "sig": signed}).encode()).decode().rstrip("=")


def unseal(key: bytes, kind: str, cursor: str) -> dict[str, Any]:
    """The parameters of a cursor. Raises Refused for one that was made elsewhere or changed."""
    try:
        value = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        data, signed = value["data"], value["sig"]
        good = hmac.new(key, json.dumps(data, sort_keys=True).encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(good, signed) or data["type"] != kind:
            raise ValueError("another signature or kind")
        params: dict[str, Any] = data["params"]
    except (ValueError, TypeError, KeyError) as error:
        raise Refused("invalid cursor", parameter="cursor") from error
    return params
