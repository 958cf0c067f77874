"""Transactions that only Arbitrum has, in the shape its nodes answer with.

Types 0x64 (ETH deposited from L1), 0x65 and 0x66 (L1 messages of a user and of a contract), 0x68 (a retryable being
redeemed), 0x69 (a retryable being submitted) and 0x6A (what ArbOS does at the start of every block). anvil knows
none of them; the proxy lays them over its blocks. Hashes are those Arbitrum would give: keccak of the type byte and the
RLP list of the fields.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from eth_hash.auto import keccak

DEPOSIT, UNSIGNED, CONTRACT, RETRY, SUBMIT_RETRYABLE, INTERNAL = 0x64, 0x65, 0x66, 0x68, 0x69, 0x6A

ARBOS = "0x00000000000000000000000000000000000a4b05"
RETRYABLES = "0x000000000000000000000000000000000000006e"
START_BLOCK_SELECTOR = "6bf6a42d"
L1_BLOCK_OFFSET = 5_000_000
ZERO_BLOOM = "0x" + "00" * 256

_request_ids = itertools.count(1)


@dataclass(frozen=True)
class Special:
    """One such transaction: its JSON fields without those of the block, and its place in the block."""

    type: int
    hash: str
    fields: dict[str, Any]
    first: bool = False  # ArbOS' own comes before all others of its block
    status: int = 1
    gas_used: int = 0
    logs: tuple[dict[str, Any], ...] = ()

    @property
    def to(self) -> str:
        return str(self.fields["to"])

    @property
    def value(self) -> int:
        return int(self.fields["value"], 16)


def deposit(chain_id: int, to: str, value: int, sender: str = "0x" + "d1" * 20) -> Special:
    """0x64: ``value`` wei arrive at ``to`` from L1. It runs no code and has no logs."""
    request = _request_id()
    payload = [chain_id, request, _bytes(sender), _bytes(to), value]
    return _special(DEPOSIT, chain_id, payload, sender, to, value, requestId=_hex(request))


def unsigned(chain_id: int, to: str, value: int, sender: str = "0x" + "d2" * 20, data: str = "0x") -> Special:
    """0x65: a message of a user, sent from L1."""
    payload = [chain_id, _bytes(sender), 0, 10**8, 100_000, _bytes(to), value, _bytes(data)]
    return _special(UNSIGNED, chain_id, payload, sender, to, value, data, gas=100_000)


def contract(chain_id: int, to: str, value: int, sender: str = "0x" + "d3" * 20, data: str = "0x") -> Special:
    """0x66: a message of a contract, sent from L1."""
    request = _request_id()
    payload = [chain_id, request, _bytes(sender), 10**8, 100_000, _bytes(to), value, _bytes(data)]
    return _special(CONTRACT, chain_id, payload, sender, to, value, data, gas=100_000, requestId=_hex(request))


def submit_retryable(chain_id: int, to: str, value: int, sender: str = "0x" + "d4" * 20) -> Special:
    """0x69: a retryable ticket is created; the call of ``to`` with ``value`` comes later, or never."""
    request = _request_id()
    who, fee, limit = _bytes(sender), 10**8, 100_000
    payload = [chain_id, request, who, 10**9, value, fee, limit, _bytes(to), value, who, 10**12, who, b""]
    return _special(
        SUBMIT_RETRYABLE,
        chain_id,
        payload,
        sender,
        RETRYABLES,
        0,
        gas=limit,
        requestId=_hex(request),
        l1BaseFee=hex(10**9),
        depositValue=hex(value),
        retryTo=to,
        retryValue=hex(value),
        retryData="0x",
        beneficiary=sender,
        maxSubmissionFee=hex(10**12),
        refundTo=sender,
        maxFeePerGas=hex(fee),
    )


def retry(chain_id: int, to: str, value: int, sender: str = "0x" + "d5" * 20, ticket: str | None = None) -> Special:
    """0x68: a retryable ticket is redeemed: ``to`` is called with ``value``."""
    number = ticket or _hex(_request_id())
    who, fee, limit = _bytes(sender), 10**8, 100_000
    payload = [chain_id, 0, who, fee, limit, _bytes(to), value, b"", _bytes(number), who, 10**12, 10**11]
    return _special(
        RETRY,
        chain_id,
        payload,
        sender,
        to,
        value,
        gas=limit,
        ticketId=number,
        refundTo=sender,
        maxRefund=hex(10**12),
        submissionFeeRefund=hex(10**11),
        maxFeePerGas=hex(fee),
    )


def internal(chain_id: int, block: int) -> Special:
    """0x6A: ArbOS notes the L1 block; the first transaction of every Arbitrum block."""
    words = (10**9, l1_block(block), block, 0)
    data = "0x" + START_BLOCK_SELECTOR + "".join(f"{word:064x}" for word in words)
    payload = [chain_id, _bytes(data)]
    return _special(INTERNAL, chain_id, payload, ARBOS, ARBOS, 0, data, first=True)


def l1_block(l2_block: int) -> int:
    """The L1 block a local block claims to follow: one every 48 local blocks, as 12 s are to 250 ms."""
    return L1_BLOCK_OFFSET + l2_block // 48


def transaction(special: Special, block: dict[str, Any], index: int) -> dict[str, Any]:
    """What eth_getTransactionByHash answers."""
    return {
        **special.fields,
        "blockHash": block["hash"],
        "blockNumber": block["number"],
        "blockTimestamp": block["timestamp"],
        "transactionIndex": hex(index),
    }


def receipt(special: Special, block: dict[str, Any], index: int) -> dict[str, Any]:
    """What eth_getTransactionReceipt answers."""
    return {
        "blockHash": block["hash"],
        "blockNumber": block["number"],
        "contractAddress": None,
        "cumulativeGasUsed": hex(special.gas_used),
        "effectiveGasPrice": block.get("baseFeePerGas", "0x0"),
        "from": special.fields["from"],
        "gasUsed": hex(special.gas_used),
        "gasUsedForL1": "0x0",
        "l1BlockNumber": hex(l1_block(int(block["number"], 16))),
        "logs": list(special.logs),
        "logsBloom": ZERO_BLOOM,
        "status": hex(special.status),
        "timeboosted": False,
        "to": special.fields["to"],
        "transactionHash": special.hash,
        "transactionIndex": hex(index),
        "type": hex(special.type),
    }


def _special(
    kind: int,
    chain_id: int,
    payload: list[Any],
    sender: str,
    to: str,
    value: int,
    data: str = "0x",
    *,
    gas: int = 0,
    first: bool = False,
    **extra: Any,
) -> Special:
    tx_hash = "0x" + keccak(bytes([kind]) + _rlp(payload)).hex()
    fields: dict[str, Any] = {
        "hash": tx_hash,
        "type": hex(kind),
        "chainId": hex(chain_id),
        "from": sender.lower(),
        "to": to.lower(),
        "value": hex(value),
        "input": data,
        "nonce": "0x0",
        "gas": hex(gas),
        "gasPrice": "0x0",
        "v": "0x0",
        "r": "0x0",
        "s": "0x0",
        **extra,
    }
    return Special(kind, tx_hash, fields, first, gas_used=gas)


def _request_id() -> bytes:
    return next(_request_ids).to_bytes(32, "big")


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x"))


def _rlp(value: Any) -> bytes:
    """Ethereum's serialisation of integers, bytes and lists of them."""
    if isinstance(value, int):
        value = value.to_bytes((value.bit_length() + 7) // 8, "big")
    if isinstance(value, bytes):
        if len(value) == 1 and value[0] < 0x80:
            return value
        return _rlp_length(len(value), 0x80) + value
    body = b"".join(_rlp(item) for item in value)
    return _rlp_length(len(body), 0xC0) + body


def _rlp_length(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size
