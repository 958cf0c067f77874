"""ERC-20 on the wire: questions, answers, and Transfer logs. The call we sign is in domain/exchange/tokens.py."""

from __future__ import annotations

from typing import Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from domain.exchange.messages import TransferLog
from gateways.evm.shapes import Log, MinedTransaction

TRANSFER_TOPIC: Final = "0x" + keccak(text="Transfer(address,address,uint256)").hex()


def _selector(signature: str) -> bytes:
    return bytes(keccak(text=signature)[:4])


_BALANCE_OF: Final = _selector("balanceOf(address)")
DECIMALS_DATA: Final = "0x" + _selector("decimals()").hex()


def balance_of_data(address: str) -> str:
    """Call data of balanceOf(address), as JSON-RPC wants it."""
    return "0x" + (_BALANCE_OF + encode(["address"], [address])).hex()


def padded(address: str) -> str:
    """An address as a log topic."""
    return "0x" + "0" * 24 + address[2:].lower()


def read_uint(answer: bytes) -> int:
    """A uint256 result.

    Raises: ValueError when it is not 32 bytes: no contract at the address, or no ERC-20.
    """
    if len(answer) != 32:
        raise ValueError(f"{len(answer)} bytes instead of 32")
    return int.from_bytes(answer, "big")


def transfer_refusal(answer: bytes) -> str | None:
    """None when a transfer's result means success: nothing at all, or true (SafeERC20); else what is wrong."""
    if not answer:
        return None
    try:
        (said,) = decode(["uint256"], answer)
    except DecodingError:
        return "the token's answer is not a bool"
    return {0: "transfer returns false", 1: None}.get(said, "the token's answer is not a bool")


def is_transfer(log: Log) -> bool:
    """An ERC-20 Transfer by its topics. ERC-721 has the same first topic and a fourth one, the token id."""
    return len(log.topics) == 3 and log.topics[0] == TRANSFER_TOPIC


def oddity(log: Log) -> str | None:
    """What keeps a Transfer from being read: hostile or exotic tokens; None for what the standard says."""
    if len(log.data) != 32:
        return f"data of {len(log.data)} bytes instead of 32"
    if any(not topic.startswith("0x" + "0" * 24) for topic in log.topics[1:]):
        return "an indexed topic is not an address"
    return None


def read_transfer(chain_id: int, receipt: MinedTransaction, log: Log) -> TransferLog:
    """A log that `is_transfer` and has no `oddity`, with its place in the receipt."""
    return TransferLog(
        chain_id=chain_id,
        tx_hash=log.transactionHash,
        log_index=log.logIndex,
        log_ordinal=receipt.ordinal(log),
        block_number=log.blockNumber,
        block_hash=log.blockHash,
        token=log.address,
        from_address="0x" + log.topics[1][26:],
        to_address="0x" + log.topics[2][26:],
        amount=int.from_bytes(log.data, "big"),
    )
