"""Parameters of a call, read strictly. Everything raises RpcRefusal as a real node refuses."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from solders.message import from_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from domain.shared import base58
from localnet.svm.errors import RpcRefusal, invalid

Params = list[Any]
MOST_RAW = 1_232
_TYPE = "solana_transaction::versioned::VersionedTransaction"


def at(params: Params, index: int) -> Any:
    if index >= len(params):
        raise invalid(f"`params` should have at least {index + 1} argument(s)")
    return params[index]


def config(params: Params, index: int) -> dict[str, Any]:
    """The options object at `index`, empty when left out."""
    found = params[index] if index < len(params) else None
    if found is not None and not isinstance(found, dict):
        raise invalid("Invalid params: invalid type: expected a configuration object.")
    return found or {}


def key(value: Any) -> Pubkey:
    if not isinstance(value, str):
        raise invalid("Invalid params: invalid type: expected a string.")
    try:
        raw = base58.decode(value)
    except ValueError as error:
        raise invalid("Invalid param: Invalid") from error
    if len(raw) != 32:
        raise invalid("Invalid param: WrongSize")
    return Pubkey.from_bytes(raw)


def signature(value: Any) -> str:
    if not isinstance(value, str):
        raise invalid("Invalid params: invalid type: expected a string.")
    try:
        raw = base58.decode(value)
    except ValueError as error:
        raise invalid("Invalid param: Invalid") from error
    if len(raw) != 64:
        raise invalid("Invalid param: WrongSize")
    return str(Signature.from_bytes(raw))


def number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise invalid("Invalid params: invalid type: expected u64.")
    return value


def transaction(text: Any, encoding: str) -> VersionedTransaction:
    """The transaction and nothing behind it."""
    raw = unwrapped(text, encoding)
    if len(raw) > MOST_RAW:
        raise invalid(f"decoded {_TYPE} too large: {len(raw)} bytes (max: {MOST_RAW} bytes)")
    try:
        found = VersionedTransaction.from_bytes(raw)
    except Exception as error:
        raise invalid(f"failed to deserialize {_TYPE}: {error}") from error
    try:
        found.sanitize()
    except Exception as error:
        raise invalid("invalid transaction: Transaction failed to sanitize accounts offsets correctly") from error
    return found


def message(text: Any) -> VersionedTransaction:
    """A message in base64, as a transaction with empty signatures."""
    try:
        found = from_bytes_versioned(unwrapped(text, "base64"))
    except RpcRefusal:
        raise
    except Exception as error:
        raise invalid(f"failed to deserialize solana_message::versions::VersionedMessage: {error}") from error
    return VersionedTransaction.populate(found, [Signature.default()] * found.header.num_required_signatures)


def unwrapped(text: Any, encoding: str) -> bytes:
    if not isinstance(text, str):
        raise invalid("Invalid params: invalid type: expected a string.")
    try:
        if encoding == "base64":
            return base64.b64decode(text, validate=True)
        if encoding == "base58":
            return base58.decode(text)
    except (ValueError, binascii.Error) as error:
        raise invalid(f"invalid {encoding} encoding: {error}") from error
    raise invalid(f"unsupported encoding: {encoding}. Supported encodings: base58, base64")
