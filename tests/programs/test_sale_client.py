"""The product's client of the launch program against the program itself: every instruction, account and event."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from anchorpy.coder.coder import Coder
from anchorpy_core.idl import Idl
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction_metadata import TransactionMetadata

from domain.launchpad import transactions
from domain.launchpad.sale import OnChain, SaleKeys
from gateways.solana.sale_events import read_events
from gateways.solana.sale_idl import IDL_FILE, TagsDiffer, check_tags, interface
from gateways.solana.sale_program import NotOurs, SaleProgram
from tests.programs.interface import LAUNCHPAD
from tests.programs.lab import Sale, opened
from tests.programs.ledger import MILLION, PROGRAM, call, events
from tests.programs.test_told import landed

POOL = "AwUceQLyXXnHJXTPawF29Y3FWVJNW87VggtcNQZaTGXF"
CLIENT = SaleProgram(str(PROGRAM), POOL)


def keys_of(sale: Sale) -> SaleKeys:
    return SaleKeys(
        address=str(sale.key),
        mint=str(sale.mint.pubkey()),
        vault=str(sale.vault.pubkey()),
        token_program=str(sale.token_program),
        creator=str(sale.creator.pubkey()),
        platform=str(sale.platform.pubkey()),
    )


def built(step: transactions.Instruction) -> Instruction:
    metas = [AccountMeta(Pubkey.from_string(m.address), m.signer, m.writable) for m in step.accounts]
    return Instruction(Pubkey.from_string(step.program), base64.b64decode(step.data), metas)


def data_of(sale: Sale, address: str) -> bytes:
    return sale.ledger.data(Pubkey.from_string(address))


def sent(sale: Sale, who: Keypair, *steps: transactions.Instruction) -> TransactionMetadata:
    return sale.ledger.send(*map(built, steps), signers=[who])


def told(sale: Sale, done: TransactionMetadata) -> list[tuple[str, dict[str, Any]]]:
    found = read_events(str(PROGRAM), landed(sale, done))
    assert not found.unknown
    return [(event.kind, event.data) for _, event in found.events]


def plain(found: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, list[Any]]]:
    return [(name, [str(v) if isinstance(v, Pubkey) else v for v in data.values()]) for name, data in found]


def test_a_whole_sale_with_the_client_alone() -> None:
    sale = opened()
    keys, buyer, referrer = keys_of(sale), sale.ledger.wallet(), sale.ledger.wallet()
    me = str(buyer.pubkey())
    sent(sale, referrer, CLIENT.register_referral(str(referrer.pubkey()), None))
    sent(sale, buyer, CLIENT.register_referral(me, str(referrer.pubkey())))
    bought = sent(sale, buyer, *CLIENT.buy(keys, me, 150 * MILLION, 2**63))
    assert plain(told(sale, bought)) == plain(events(bought))
    position = CLIENT.read_position(
        "", sale.ledger.data(Pubkey.from_string(CLIENT.addresses.position(keys.address, me)))
    )
    assert (position.buyer, position.tokens, position.bought) == (me, 150 * MILLION, 150 * MILLION)
    assert position.earned[0] > 0
    assert position.earned[1:] == (0, 0, 0, 0)
    referral = CLIENT.read_referral(data_of(sale, CLIENT.addresses.referral(me)))
    assert referral.upline == (str(referrer.pubkey()),)
    sent(sale, buyer, *CLIENT.claim(keys, me, me))
    sent(sale, buyer, CLIENT.sell(keys, me, MILLION, 0))
    sent(sale, buyer, CLIENT.settle_referral(keys, me, referral.upline))
    sent(sale, referrer, CLIENT.claim_referral(str(referrer.pubkey())))
    state = CLIENT.read_sale(keys.address, sale.ledger.data(sale.key))
    there = sale.check()
    assert (state.sold, state.raised, state.status, state.latched) == (
        there["sold"],
        there["raised"],
        OnChain.ACTIVE,
        True,
    )
    assert state.keys == keys
    assert state.terms.model_dump() == {_snake(name): value for name, value in sale.terms.items()}


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def test_every_instruction_of_the_idl_is_encoded_as_the_program_reads_it() -> None:
    somebody = str(Keypair().pubkey())
    keys = SaleKeys(
        address=somebody, mint=somebody, vault=somebody, token_program=somebody, creator=somebody, platform=somebody
    )
    made = {
        "buy": CLIENT.buy(keys, somebody, 5, 7)[-1],
        "sell": CLIENT.sell(keys, somebody, 5, 7),
        "graduate": CLIENT.graduate(keys, somebody, 9),
        "burn": CLIENT.burn(keys, 3),
        "burnFromPool": CLIENT.burn_from_pool(keys, 3, 4),
        "cancelSale": CLIENT.cancel_sale(keys),
        "refund": CLIENT.refund(keys, somebody),
        "reclaim": CLIENT.reclaim(keys),
        "harvest": CLIENT.harvest(keys, somebody),
        "releaseOther": CLIENT.release_other(keys, somebody, somebody)[-1],
        "claimVested": CLIENT.claim_vested(keys, somebody, somebody)[-1],
        "closePosition": CLIENT.close_position(keys, somebody),
    }
    arguments: dict[str, tuple[int, ...]] = {
        "buy": (5, 7), "sell": (5, 7), "graduate": (9,), "burn": (3,), "burnFromPool": (3, 4)
    }  # fmt: skip
    for name, step in made.items():
        entry = next(one for one in LAUNCHPAD.idl["instructions"] if one["name"] == name)
        assert base64.b64decode(step.data) == LAUNCHPAD.call_data(name, *arguments.get(name, ())), name
        flags = [(meta.signer, meta.writable) for meta in step.accounts]
        assert flags == [(account["isSigner"], account["isMut"]) for account in entry["accounts"]], name


def test_another_account_is_refused() -> None:
    sale = opened()
    data = sale.ledger.data(sale.key)
    for wrong in (data[:-1], b"\0" * 8 + data[8:], b""):
        with pytest.raises(NotOurs):
            CLIENT.read_sale("", wrong)
    with pytest.raises(NotOurs):
        CLIENT.read_position("", data)


def test_another_tag_is_refused() -> None:
    text = IDL_FILE.read_text()
    idl = json.loads(text)
    coder = Coder(Idl.from_json(text))
    check_tags(idl, coder)
    idl["events"][0]["name"] += "d"
    with pytest.raises(TagsDiffer):
        check_tags(idl, coder)
    assert interface().errors[6000] == "badData"


def test_the_flags_are_the_ones_of_the_lab() -> None:
    """The lab that tests the program itself and the product's client build the same instruction."""
    sale = opened()
    buyer = sale.ledger.wallet()
    theirs = call("refund", sale.accounts(buyer.pubkey()))
    assert built(CLIENT.refund(keys_of(sale), str(buyer.pubkey()))) == theirs
