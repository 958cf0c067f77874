"""Accounts over the wire: encodings, slices, filters."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from domain.shared import base58
from localnet.svm import tokens
from localnet.svm.errors import RpcRefusal, invalid

Json = dict[str, Any]
Find = Callable[[Pubkey], Account | None]
ENCODINGS = ("base64", "base58", "jsonParsed", "binary")
MOST_BASE58 = 128
MOST_FILTERS = 4


def shown(account: Account, config: Json, find: Find) -> Json:
    """``UiAccount``. Raises RpcRefusal for an encoding the node does not have (base64+zstd) or cannot use."""
    return {
        "lamports": account.lamports,
        "owner": str(account.owner),
        "data": _data(account, config, find),
        "executable": account.executable,
        "rentEpoch": account.rent_epoch,
        "space": len(account.data),
    }


def _data(account: Account, config: Json, find: Find) -> Any:
    encoding = config.get("encoding") or "binary"
    if encoding not in ENCODINGS:
        raise invalid(f"Invalid params: unknown variant `{encoding}`, expected one of {', '.join(ENCODINGS)}.")
    if encoding == "jsonParsed":
        parsed = _parsed(account, find)
        if parsed is not None:
            return parsed
        encoding = "base64"
    cut = config.get("dataSlice")
    data = bytes(account.data)
    if cut is not None:
        data = data[int(cut["offset"]) : int(cut["offset"]) + int(cut["length"])]
    if encoding == "base64":
        return [base64.b64encode(data).decode(), "base64"]
    if len(data) > MOST_BASE58:
        if encoding == "binary":
            return "error: data too large for bs58 encoding"
        raise RpcRefusal(
            -32600, "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding."
        )
    return base58.encode(data) if encoding == "binary" else [base58.encode(data), "base58"]


def _parsed(account: Account, find: Find) -> Json | None:
    holding = tokens.token_account(account)
    mint = None if holding is None else tokens.mint(find(holding.mint))
    return tokens.parsed(account, None if mint is None else mint.decimals)


def matcher(filters: Any) -> Callable[[Account], bool]:
    """What passes all `filters` (memcmp, dataSize, tokenAccountState). Raises RpcRefusal."""
    if not isinstance(filters, list):
        raise invalid("Invalid params: invalid type: expected a list of filters.")
    if len(filters) > MOST_FILTERS:
        raise invalid(f"Too many filters provided; max {MOST_FILTERS}")
    tests = [_test(one) for one in filters]
    return lambda account: all(test(account) for test in tests)


def _test(one: Any) -> Callable[[Account], bool]:
    if one == "tokenAccountState":
        return lambda account: tokens.token_account(account) is not None
    if isinstance(one, dict) and "dataSize" in one:
        size = int(one["dataSize"])
        return lambda account: len(account.data) == size
    if isinstance(one, dict) and "memcmp" in one:
        offset, wanted = int(one["memcmp"]["offset"]), _bytes(one["memcmp"])
        return lambda account: bytes(account.data[offset : offset + len(wanted)]) == wanted
    raise invalid("Invalid params: unknown variant of a filter, expected `dataSize`, `memcmp` or `tokenAccountState`.")


def _bytes(memcmp: Json) -> bytes:
    given = memcmp["bytes"]
    if isinstance(given, list):
        return bytes(given)
    try:
        if memcmp.get("encoding", "base58") == "base64":
            return base64.b64decode(given, validate=True)
        return base58.decode(given)
    except ValueError as error:
        raise invalid(f"Invalid param: {error}") from error
