"""Envelopes: whatever JSON comes back, it is the answer to this very question or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.evm.envelopes import (
    MESSAGE_MAX,
    Call,
    NodeError,
    NotJson,
    OddEnvelope,
    WholeBatchRefused,
    decode,
    encode,
    load,
)

ONE = [Call("eth_chainId")]
TWO = [Call("a"), Call("b", (1, "x"))]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "result", "error", "code", "message", "jsonrpc", "x"]), inner)
    ),
    max_leaves=12,
)


def test_one_call_is_an_object_and_several_are_an_array() -> None:
    assert json.loads(encode(ONE, 7)) == {"jsonrpc": "2.0", "id": 7, "method": "eth_chainId", "params": []}
    assert [item["id"] for item in json.loads(encode(TWO, 7))] == [7, 8]


def test_answers_are_matched_by_id() -> None:
    raw = [{"id": 8, "result": "b"}, {"id": 7, "result": None, "error": None}]
    assert decode(raw, TWO, 7) == [None, "b"]


def test_an_error_stands_in_its_place() -> None:
    raw = [{"id": 7, "result": 1}, {"id": 8, "error": {"code": -32000, "message": "no", "data": "0x"}}]
    first, second = decode(raw, TWO, 7)
    assert first == 1
    assert isinstance(second, NodeError)
    assert (second.method, second.rpc_code, second.message, second.rpc_data) == ("b", -32000, "no", "0x")
    assert (second.code, second.retryable) == ("chain_unavailable", True)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "ok",
        7,
        {"id": 8, "result": 1},
        {"id": "7", "result": 1},
        {"id": True, "result": 1},
        {"id": 7},
        {"id": 7, "error": None},
        {"id": 7, "result": 1, "error": {"code": 1, "message": "both"}},
        {"id": 7, "error": "text"},
        {"id": 7, "error": {"code": "1", "message": "x"}},
        {"id": 7, "error": {"code": 1}},
        {"id": None, "result": 1},
        [{"id": 7, "result": 1}],
    ],
    ids=str,
)
def test_odd_answers_to_one_call(raw: Any) -> None:
    with pytest.raises(OddEnvelope) as caught:
        decode(raw, ONE, 7)
    assert caught.value.raw == raw


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {"result": []},
        [],
        [{"id": 7, "result": 1}],
        [{"id": 7, "result": 1}, {"id": 7, "result": 1}],
        [{"id": 7, "result": 1}, {"id": 9, "result": 1}],
        [{"id": 7, "result": 1}, {"id": 8.0, "result": 1}],
        [{"id": 7, "result": 1}, None],
        [{"id": 7, "result": 1}, {"id": 8, "result": 1}, {"id": 9, "result": 1}],
    ],
    ids=str,
)
def test_odd_answers_to_a_batch(raw: Any) -> None:
    with pytest.raises(OddEnvelope):
        decode(raw, TWO, 7)


def test_one_error_for_a_batch() -> None:
    with pytest.raises(WholeBatchRefused, match="too many") as caught:
        decode({"id": None, "error": {"code": -32600, "message": "too many"}}, TWO, 7)
    assert caught.value.error.rpc_code == -32600


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"1" * 5_000, b"\xff\xfe", b'{"id":'], ids=len)
def test_bodies_that_are_not_json(body: bytes) -> None:
    with pytest.raises(NotJson):
        load(body)


@given(JSON)
def test_no_json_crashes_the_reader(raw: Any) -> None:
    for calls in (ONE, TWO):
        try:
            answers = decode(raw, calls, 7)
        except (OddEnvelope, WholeBatchRefused):
            continue
        assert len(answers) == len(calls)


def test_error_texts_are_cut_and_printable() -> None:
    error = NodeError("m", 1, "a\nb\x1b[31m" + "x" * 10_000)
    assert error.message.startswith("a b [31m")
    assert len(error.message) == MESSAGE_MAX


@pytest.mark.parametrize(
    ("code", "message", "throttled"),
    [
        (429, "slow down", True),
        (-32005, "daily request limit reached", True),
        (-32000, "Your app has exceeded its compute units per second capacity", True),
        (-32005, "query returned more than 10000 results", False),
        (-32000, "nonce too low", False),
    ],
)
def test_throttling(code: int, message: str, throttled: bool) -> None:
    assert NodeError("m", code, message).throttled is throttled
