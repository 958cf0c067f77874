"""What is read of blocks, logs and receipts, and what nodes and tokens mean by their words."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode

from domain.shared.errors import Rejected, Unavailable
from gateways.evm import refusals, tokens
from gateways.evm.envelopes import NodeError
from gateways.evm.shapes import Block, Log, MinedTransaction, data, parse, quantity
from gateways.protocols import Quarantined

H1, H2, H3 = "0x" + "1A" * 32, "0x" + "2b" * 32, "0x" + "3c" * 32
A1, A2 = "0x" + "Aa" * 20, "0x" + "bb" * 20

BLOCK = {"number": "0x10", "hash": H1, "parentHash": H2, "baseFeePerGas": "0x5", "transactions": [{"type": "0x64"}]}
LOG = {
    "address": A1,
    "topics": [tokens.TRANSFER_TOPIC, tokens.padded(A1), tokens.padded(A2)],
    "data": "0x" + f"{7:064x}",
    "blockNumber": "0x10",
    "blockHash": H1,
    "transactionHash": H3,
    "logIndex": "0x4",
    "removed": False,
}
RECEIPT = {
    "type": "0x6a",
    "transactionHash": H3,
    "blockHash": H1,
    "blockNumber": "0x10",
    "status": "0x1",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x0",
    "logs": [LOG, {**LOG, "logIndex": "0x6"}],
}


def test_blocks_are_lower_case_and_blind_to_what_we_do_not_use() -> None:
    block = parse(Block, BLOCK, "n", "block")
    assert (block.number, block.hash, block.baseFeePerGas) == (16, H1.lower(), 5)
    assert parse(Block, {**BLOCK, "number": "0x010"}, "n", "block").number == 16


@pytest.mark.parametrize(
    "change",
    [
        {"number": 16},
        {"number": "16"},
        {"number": "0x"},
        {"number": "0xzz"},
        {"number": None},
        {"number": "0x" + "f" * 65},
        {"hash": H1[:-2]},
        {"hash": H1[2:]},
        {"hash": None},
        {"parentHash": H2 + "00"},
        {"baseFeePerGas": -1},
    ],
    ids=str,
)
def test_a_field_we_use_is_strict(change: dict[str, Any]) -> None:
    with pytest.raises(Quarantined) as caught:
        parse(Block, {**BLOCK, **change}, "n", "block")
    assert caught.value.payload == {**BLOCK, **change}
    assert next(iter(change)) in caught.value.reason


@pytest.mark.parametrize("raw", ["x", [], 5, None, {}], ids=str)
def test_no_object_at_all(raw: Any) -> None:
    for model in (Block, Log, MinedTransaction):
        with pytest.raises(Quarantined):
            parse(model, raw, "n", "k")


def test_ordinals_count_from_the_receipts_first_log() -> None:
    receipt = parse(MinedTransaction, RECEIPT, "n", "receipt")
    assert [receipt.ordinal(log) for log in receipt.logs] == [0, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "0x2"},
        {"status": None},
        {"logs": None},
        {"logs": {}},
        {"logs": [LOG, LOG]},
        {"logs": [{**LOG, "transactionHash": H1}]},
        {"logs": [{**LOG, "blockHash": H2}]},
        {"logs": [{**LOG, "data": "0x0"}]},
        {"logs": [{**LOG, "topics": "0x"}]},
        {"logs": [{**LOG, "removed": "no"}]},
    ],
    ids=lambda change: str(change)[:60],
)
def test_receipts_that_do_not_hold_together(change: dict[str, Any]) -> None:
    with pytest.raises(Quarantined):
        parse(MinedTransaction, {**RECEIPT, **change}, "n", "receipt")


def test_bare_values() -> None:
    assert quantity("0x0f", "n", "k") == 15
    assert data("0x00ff", "n", "k") == b"\x00\xff"
    for read, raw in ((quantity, "0x"), (quantity, 5), (data, "0x1"), (data, None), (data, "00")):
        with pytest.raises(Quarantined):
            read(raw, "n", "k")


def log(**change: Any) -> Log:
    return parse(Log, {**LOG, **change}, "n", "log")


def test_which_logs_are_erc_20_transfers() -> None:
    assert tokens.is_transfer(log())
    assert not tokens.is_transfer(log(topics=[*LOG["topics"], H1]))  # ERC-721
    assert not tokens.is_transfer(log(topics=LOG["topics"][:2]))
    assert not tokens.is_transfer(log(topics=[]))
    assert not tokens.is_transfer(log(topics=[H1, *LOG["topics"][1:]]))
    assert tokens.oddity(log()) is None
    assert "33 bytes" in str(tokens.oddity(log(data="0x" + "00" * 33)))
    assert "not an address" in str(tokens.oddity(log(topics=[tokens.TRANSFER_TOPIC, H1, tokens.padded(A2)])))


def test_what_a_transfer_call_may_return() -> None:
    assert tokens.transfer_refusal(b"") is None
    assert tokens.transfer_refusal((1).to_bytes(32, "big")) is None
    assert tokens.transfer_refusal((0).to_bytes(32, "big")) == "transfer returns false"
    for odd in ((2).to_bytes(32, "big"), b"\x01", b"\xff" * 32):
        assert tokens.transfer_refusal(odd) == "the token's answer is not a bool"


@pytest.mark.parametrize(
    "message",
    [
        "already known",
        "AlreadyKnown",
        "Known transaction",
        "transaction already imported",
        "ALREADY_EXISTS: already known",
        "tx already in mempool",
    ],
)
def test_a_repeated_broadcast_is_success(message: str) -> None:
    assert refusals.is_known_already(NodeError("eth_sendRawTransaction", -32000, message))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("nonce too low: next nonce 5, tx nonce 4", "nonce_too_low"),
        ("nonce is too low", "nonce_too_low"),
        ("OldNonce, Current nonce: 5", "nonce_too_low"),
        ("replacement transaction underpriced", "underpriced"),
        ("transaction underpriced", "underpriced"),
        ("FeeTooLow, EffectivePriorityFeePerGas too low", "underpriced"),
        ("max fee per gas less than block base fee: address 0x0", "underpriced"),
        ("insufficient funds for gas * price + value", "insufficient_gas_funds"),
        ("Insufficient funds for gas * price + value", "insufficient_gas_funds"),
        ("InsufficientFunds, Account balance: 0", "insufficient_gas_funds"),
        ("intrinsic gas too low", "other"),
        ("invalid sender", "other"),
    ],
)
def test_why_a_broadcast_is_refused(message: str, reason: str) -> None:
    failure = refusals.send_failure(NodeError("eth_sendRawTransaction", -32000, message))
    assert isinstance(failure, Rejected)
    assert (failure.code, failure.data["reason"], failure.detail) == ("send_refused", reason, message)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32603, "Internal error"),
        (-32000, "txpool is full"),
        (-32000, "context deadline exceeded"),
        (-32000, "syncing"),
    ],
)
def test_a_broadcast_that_may_pass_later(code: int, message: str) -> None:
    assert isinstance(refusals.send_failure(NodeError("eth_sendRawTransaction", code, message)), Unavailable)


@pytest.mark.parametrize("message", ["nonce too low", "execution reverted", "header not found", "method not found"])
def test_errors_that_have_nothing_to_do_with_the_range(message: str) -> None:
    assert not refusals.is_range_too_large(NodeError("eth_getLogs", -32000, message))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("0x08c379a0" + encode(["string"], ["blacklisted"]).hex(), "blacklisted"),
        ("0x08c379a0" + encode(["string"], ["a\n\x1b" + "x" * 5_000]).hex(), "a  " + "x" * 197),
        ("0x08c379a0" + "ff" * 64, ""),
        ("0x08c379a0", "custom error 0x08c379a0"),
        ("0x4e487b71" + f"{0x11:064x}", "panic 0x11"),
        ("0xe450d38c" + "00" * 96, "custom error 0xe450d38c"),
        ({"data": "0x4e487b71" + f"{1:064x}"}, "panic 0x01"),
        ("0x", "execution reverted"),
        ("prose", "execution reverted"),
        ("0xzz", "execution reverted"),
        (None, "execution reverted"),
        ([1], "execution reverted"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_reverts_reason(raw: Any, reason: str) -> None:
    assert refusals.revert_reason(NodeError("eth_call", 3, "execution reverted", raw)) == reason


@pytest.mark.parametrize(
    ("code", "message", "executed"),
    [
        (3, "anything", True),
        (-32000, "execution reverted: no", True),
        (-32603, "EVM error OutOfGas", True),
        (-32000, "invalid opcode: INVALID", True),
        (-32000, "header not found", False),
        (-32603, "internal error", False),
    ],
)
def test_execution_failures(code: int, message: str, executed: bool) -> None:
    assert refusals.is_execution_failure(NodeError("eth_call", code, message)) is executed
