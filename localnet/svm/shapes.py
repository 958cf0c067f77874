"""Transactions over the wire. ``jsonParsed`` gives every instruction as real nodes give those of unknown programs."""

from __future__ import annotations

import base64
from typing import Any

from solders.transaction import VersionedTransaction

from domain.shared import base58
from localnet.svm.errors import invalid
from localnet.svm.wire import is_v0, may_write

Json = dict[str, Any]
MEMO = ("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr", "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo")


def encoded(transaction: VersionedTransaction, encoding: str, loaded: dict[str, list[str]]) -> Any:
    """The ``transaction`` member. `loaded`: addresses from lookup tables. Raises RpcRefusal."""
    raw = bytes(transaction)
    if encoding == "base64":
        return [base64.b64encode(raw).decode(), "base64"]
    if encoding == "base58":
        return [base58.encode(raw), "base58"]
    if encoding == "binary":
        return base58.encode(raw)
    if encoding == "json":
        message = _raw_message(transaction)
    elif encoding == "jsonParsed":
        message = _parsed_message(transaction, loaded)
    else:
        raise invalid(f"Invalid params: unknown variant `{encoding}`.")
    return {"signatures": [str(one) for one in transaction.signatures], "message": message}


def _raw_message(transaction: VersionedTransaction) -> Json:
    message = transaction.message
    header = message.header
    told: Json = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programIdIndex": one.program_id_index,
                "accounts": list(bytes(one.accounts)),
                "data": base58.encode(bytes(one.data)),
                "stackHeight": None,
            }
            for one in message.instructions
        ],
    }
    return {**told, "addressTableLookups": _lookups(transaction)} if is_v0(transaction) else told


def _lookups(transaction: VersionedTransaction) -> list[Json]:
    return [
        {
            "accountKey": str(one.account_key),
            "writableIndexes": list(bytes(one.writable_indexes)),
            "readonlyIndexes": list(bytes(one.readonly_indexes)),
        }
        for one in getattr(transaction.message, "address_table_lookups", ())
    ]


def _names(transaction: VersionedTransaction, loaded: dict[str, list[str]]) -> list[str]:
    own = [str(key) for key in transaction.message.account_keys]
    return own + loaded["writable"] + loaded["readonly"]


def _parsed_message(transaction: VersionedTransaction, loaded: dict[str, list[str]]) -> Json:
    message, names = transaction.message, _names(transaction, loaded)
    keys = [
        {
            "pubkey": str(key),
            "signer": index < message.header.num_required_signatures,
            "writable": may_write(message, index),
            "source": "transaction",
        }
        for index, key in enumerate(message.account_keys)
    ]
    for kind in ("writable", "readonly"):
        keys += [
            {"pubkey": key, "signer": False, "writable": kind == "writable", "source": "lookupTable"}
            for key in loaded[kind]
        ]
    told: Json = {
        "accountKeys": keys,
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programId": names[one.program_id_index],
                "accounts": [names[index] for index in bytes(one.accounts)],
                "data": base58.encode(bytes(one.data)),
                "stackHeight": None,
            }
            for one in message.instructions
        ],
    }
    return {**told, "addressTableLookups": _lookups(transaction)} if is_v0(transaction) else told


def detail(transaction: VersionedTransaction, encoding: str, stored: Json) -> Json:
    """The stored rest of ``meta``; with ``jsonParsed`` inner instructions name their accounts."""
    if encoding != "jsonParsed":
        return stored
    names = _names(transaction, stored["loadedAddresses"])
    told = {name: value for name, value in stored.items() if name != "loadedAddresses"}
    told["innerInstructions"] = [
        {
            "index": group["index"],
            "instructions": [
                {
                    "programId": names[one["programIdIndex"]],
                    "accounts": [names[index] for index in one["accounts"]],
                    "data": one["data"],
                    "stackHeight": one["stackHeight"],
                }
                for one in group["instructions"]
            ],
        }
        for group in stored["innerInstructions"]
    ]
    return told


def memo(transaction: VersionedTransaction) -> str | None:
    """All memos as a node lists them: ``[length] text``, joined by "; "."""
    message = transaction.message
    found = []
    for one in message.instructions:
        if str(message.account_keys[one.program_id_index]) in MEMO:
            data = bytes(one.data)
            found.append(f"[{len(data)}] {data.decode(errors='replace')}")
    return "; ".join(found) or None
