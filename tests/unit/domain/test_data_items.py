"""Arweave's data items, byte for byte those of the reference implementation (arbundles 0.11.2; key 0 to 31)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair

from domain.launchpad.data_items import TAGS_MOST, DataItem, deep_hash, encoded_tags, item_id
from localnet.upstreams.arweave import NoItem, read_item

KEY = Keypair.from_seed(bytes(range(32)))
GOLDEN = json.loads(Path(__file__).with_name("data_items.json").read_text())


def signed(item: DataItem) -> tuple[bytes, bytes]:
    signature = bytes(KEY.sign_message(item.to_sign()))
    return signature, item.signed(signature)


@pytest.mark.parametrize("golden", GOLDEN, ids=["empty", "text", "tags"])
def test_bytes_and_name_are_those_of_arbundles(golden: dict[str, Any]) -> None:
    tags = [(name, value) for name, value in golden["tags"]]
    signature, raw = signed(DataItem(bytes(KEY.pubkey()), tags, bytes.fromhex(golden["content"])))
    assert raw.hex() == golden["raw"]
    assert item_id(signature) == golden["id"]


@given(st.binary(max_size=300), st.lists(st.tuples(st.text(max_size=90), st.text(max_size=90)), max_size=6))
def test_what_is_written_is_read_back(content: bytes, tags: list[tuple[str, str]]) -> None:
    signature, raw = signed(DataItem(bytes(KEY.pubkey()), tags, content))
    found, name = read_item(raw)
    assert (found.content, list(found.tags), name) == (content, tags, item_id(signature))


def test_no_byte_can_be_changed() -> None:
    _, raw = signed(DataItem(bytes(KEY.pubkey()), [("Content-Type", "text/plain")], b"hello"))
    for place in range(len(raw)):
        with pytest.raises(NoItem):
            read_item(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
    for cut in range(len(raw)):
        with pytest.raises(NoItem):
            read_item(raw[:cut])


def test_parts_cannot_move_between_neighbours() -> None:
    assert deep_hash([b"ab", b"c"]) != deep_hash([b"a", b"bc"]) != deep_hash([[b"a"], b"bc"])


def test_more_tags_than_the_standard_allows_are_refused() -> None:
    assert len(encoded_tags([("n", "v" * 4_085)])) <= TAGS_MOST
    with pytest.raises(ValueError, match="4096"):
        encoded_tags([("n", "v" * 4_096)])
