"""What a node's error text means. Nodes have no common codes for these, so the phrases of the known families are here.

An unknown text is never taken for success, for "too large" or for a definite refusal of a broadcast that might pass
later; it stays what it is: unavailable, or refused for reason `other`.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from domain.shared.errors import Failure, Rejected, Unavailable
from gateways.evm.envelopes import NodeError, printable

SendReason = Literal["nonce_too_low", "underpriced", "insufficient_gas_funds", "other"]

_RANGE: Final = re.compile(
    r"query returned more than|exceeds? (?:the )?(?:max|limit)|block range|range (?:is )?too (?:large|wide|high)"
    r"|range of blocks|limited to (?:a |0 - )?[\d,]+|ranges? over|response size|response (?:is )?too (?:large|big)"
    r"|too many (?:results|logs|blocks)|more than [\d,]+ (?:results|logs|blocks)|logs matched by query"
    r"|query time(?:d )?out|request timed out|max (?:range|results)|narrow(?:er)? (?:down )?",
    re.IGNORECASE,
)
"""geth, nitro, reth, erigon, Nethermind, Infura, Alchemy, QuickNode, Ankr, dRPC, Blast, Chainstack."""

_KNOWN: Final = re.compile(
    r"already known|already imported|alreadyknown|known transaction|already exists|already in (?:the )?(?:mem)?pool",
    re.IGNORECASE,
)
_NONCE: Final = re.compile(r"nonce (?:is )?too low|oldnonce|nonce has already been used", re.IGNORECASE)
_PRICE: Final = re.compile(
    r"underpriced|fee ?too ?low|gas price too low|less than block base fee|max fee per gas less than|tip too low",
    re.IGNORECASE,
)
_FUNDS: Final = re.compile(r"insufficient (?:funds|balance)|insufficientfunds|doesn't have enough funds", re.IGNORECASE)
_PASSES: Final = re.compile(
    r"time(?:d )?out|deadline|unavailable|temporar|try again|syncing|not synced|(?:pool|queue|buffer) is full"
    r"|txpool full|internal error|header not found|busy|overloaded",
    re.IGNORECASE,
)
_EXECUTION: Final = re.compile(
    r"revert|out ?of ?gas|evm error|invalid opcode|stack (?:over|under)flow|bad instruction|invalid jump"
)

_ERROR_STRING: Final = bytes.fromhex("08c379a0")
_PANIC: Final = bytes.fromhex("4e487b71")
REASON_MAX: Final = 200
"""Characters kept of what a token says about itself: it may be hostile."""


def is_range_too_large(error: NodeError) -> bool:
    """The node would answer for fewer blocks."""
    return bool(_RANGE.search(error.message))


def is_known_already(error: NodeError) -> bool:
    """The very same bytes are in the pool or mined: a repeated broadcast succeeded."""
    return bool(_KNOWN.search(error.message))


def send_failure(error: NodeError) -> Failure:
    """Why a broadcast was refused, as the failure to raise.

    `nonce_too_low` is ambiguous: a transaction of ours with that nonce may be mined. The caller looks up every hash
    it ever signed for the nonce before it believes anything (chains.md 7.1).
    """
    reason: SendReason
    if _NONCE.search(error.message):
        reason = "nonce_too_low"
    elif _PRICE.search(error.message):
        reason = "underpriced"
    elif _FUNDS.search(error.message):
        reason = "insufficient_gas_funds"
    elif error.rpc_code == -32603 or _PASSES.search(error.message):
        return Unavailable("chain_unavailable", f"broadcast: {error.message}", rpc_code=error.rpc_code)
    else:
        reason = "other"
    return Rejected("send_refused", error.message, reason=reason, rpc_code=error.rpc_code)


def is_execution_failure(error: NodeError) -> bool:
    """The call ran and failed, as opposed to a node that could not run it. Code 3 is the EVM's revert everywhere."""
    return error.rpc_code == 3 or bool(_EXECUTION.search(error.message.lower()))


def revert_reason(error: NodeError) -> str:
    """The contract's words: Error(string), Panic(code), or a custom error's selector; else the node's text."""
    raw = error.rpc_data
    if isinstance(raw, dict):
        raw = raw.get("data")
    try:
        data = bytes.fromhex(raw[2:]) if isinstance(raw, str) and raw.startswith("0x") else b""
    except ValueError:  # a node that puts prose here: its message says as much
        data = b""
    if data[:4] == _ERROR_STRING and len(data) >= 68:
        size = min(int.from_bytes(data[36:68], "big"), 4 * REASON_MAX)
        return printable(data[68 : 68 + size].decode("utf-8", "replace"), REASON_MAX)
    if data[:4] == _PANIC and len(data) >= 36:
        return f"panic 0x{int.from_bytes(data[4:36], 'big'):02x}"
    if len(data) >= 4:
        return f"custom error 0x{data[:4].hex()}"
    return printable(error.message, REASON_MAX)
