"""Events: whatever a stranger calls, prints or pretends, what the program told is read, once, and nothing else."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from anchorpy_core.idl import Idl
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import FeatureSet, LiteSVM
from solders.pubkey import Pubkey
from solders.transaction_metadata import TransactionMetadata

from domain.launchpad.sale import Told
from domain.launchpad.solana import ChainTransaction, InnerCall
from domain.launchpad.transactions import Instruction as Step
from domain.shared import base58
from gateways.solana.sale_events import read_event, read_events
from gateways.solana.sale_idl import IDL_FILE
from programs.interface import EVENT, tag
from tests.caller_lab import CALLER, built_caller, calling, flood
from tests.programs import ledger
from tests.programs.interface import LAUNCHPAD
from tests.programs.lab import Sale, opened
from tests.programs.ledger import MILLION, PROGRAM, START, Ledger, Refused, call

LIFT = Pubkey.from_string("HcW8ZjBezYYgvcbxNJwqv1t484Y2556qJsfNDWvJGZRH")
"""The feature with which a program may call what is not among its accounts (SIMD-0163)."""


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_caller(tmp_path_factory.mktemp("caller"))


@pytest.fixture
def sale(caller: Path) -> Sale:
    found = opened()
    found.ledger.svm.add_program_from_file(CALLER, caller)
    return found


def landed(sale: Sale, done: TransactionMetadata) -> ChainTransaction:
    """As the product reads it from a node."""
    message = sale.ledger.sent
    keys = [str(key) for key in message.account_keys]
    steps = [Step(program=keys[one.program_id_index], accounts=(), data="") for one in message.instructions]
    inner = [
        InnerCall(
            step=index,
            height=one.stack_height(),  # type: ignore[attr-defined]  # the stubs of solders lack it
            program=keys[one.instruction().program_id_index],
            data=base58.encode(bytes(one.instruction().data)),
        )
        for index, group in enumerate(done.inner_instructions())
        for one in group
    ]
    return ChainTransaction(
        signature="s", slot=1, fee_lamports=0, accounts=tuple(keys), pre_lamports=(), post_lamports=(),
        instructions=tuple(steps), inner=tuple(inner),
    )  # fmt: skip


def told(sale: Sale, *steps: Instruction, signers: list[Keypair]) -> Told:
    return read_events(str(PROGRAM), landed(sale, sale.ledger.send(*steps, signers=signers)))


def kinds(found: Told) -> list[str]:
    return [event.kind for _, event in found.events]


def buy(sale: Sale, buyer: Keypair, tokens: int = MILLION) -> Instruction:
    return call("buy", sale.accounts(buyer.pubkey()), tokens, 2**63)


def fake(sale: Sale, trader: Pubkey) -> Instruction:
    """A purchase that never was, in our own words."""
    said = bytes(sale.key) + bytes(trader) + struct.pack("<QQQQQQqBBB", *[MILLION] * 6, START, 1, 0, 0)
    assert read_event(tag("event", "Traded") + said) is not None
    return Instruction(PROGRAM, EVENT + tag("event", "Traded") + said, [])


def test_a_stranger_who_calls_with_an_event_tells_nothing(sale: Sale) -> None:
    buyer = sale.ledger.wallet()
    lie = fake(sale, buyer.pubkey())
    assert told(sale, lie, signers=[]) == ((), ())
    for deeper in range(3):
        assert told(sale, calling(lie, deeper=deeper), signers=[]) == ((), ())
    mixed = calling(lie, buy(sale, buyer), lie, Instruction(PROGRAM, tag("global", "viewCurve") + bytes(4), []), lie)
    found = told(sale, lie, mixed, lie, signers=[buyer])
    assert kinds(found) == ["Traded"]
    assert found.events[0][0] == 0
    assert not found.unknown


def test_an_event_takes_no_account(sale: Sale) -> None:
    lie = fake(sale, sale.key)
    with pytest.raises(Refused, match="badAccounts"):
        sale.ledger.send(Instruction(PROGRAM, lie.data, [AccountMeta(sale.key, False, True)]))


def test_the_program_that_is_called_is_this_one(sale: Sale) -> None:
    buyer = sale.ledger.wallet()
    with pytest.raises(Refused, match="wrongAddress"):
        sale.buy(buyer, MILLION, program=CALLER)
    with pytest.raises(Refused, match="badAccounts"):
        sale.ledger.send(
            Instruction(PROGRAM, tag("global", "viewCurve") + bytes(4), [AccountMeta(PROGRAM, False, False)])
        )


@pytest.mark.parametrize("deeper", range(3))
def test_what_happens_inside_of_a_strangers_call_is_told(sale: Sale, deeper: int) -> None:
    buyer = sale.ledger.wallet()
    found = told(sale, calling(buy(sale, buyer), buy(sale, buyer, 5), deeper=deeper), signers=[buyer])
    assert [event.data["tokens"] for _, event in found.events] == [MILLION, 5]


def test_a_call_too_deep_to_tell_of_itself_does_not_happen(sale: Sale) -> None:
    """Every instruction makes a call; so none is possible where the runtime allows no more of them."""
    buyer = sale.ledger.wallet()
    sale.buy(buyer, MILLION)
    sale.ledger.set_time(sale.terms["endsAt"])
    step = call("refund", sale.accounts(buyer.pubkey()))
    with pytest.raises(Refused, match="CallDepth"):
        sale.ledger.send(calling(step, deeper=3))
    assert kinds(told(sale, calling(step, deeper=2), signers=[])) == ["Refunded"]


def test_logs_that_are_cut_hide_nothing(sale: Sale) -> None:
    buyer = sale.ledger.wallet()
    done = sale.ledger.send(*flood(), buy(sale, buyer), signers=[buyer])
    assert "Log truncated" in done.logs()
    assert not [line for line in done.logs() if str(PROGRAM) in line], "the logs say nothing of us"
    assert kinds(read_events(str(PROGRAM), landed(sale, done))) == ["Traded"]


def test_what_cannot_be_read_is_said_and_keeps_its_place(sale: Sale) -> None:
    """With the next IDL it is read, and what was booked beside it is the same event still."""
    buyer = sale.ledger.wallet()
    done = landed(sale, sale.ledger.send(buy(sale, buyer), signers=[buyer]))
    [mine] = [one for one in done.inner if base58.decode(one.data).startswith(EVENT)]
    strange = mine.model_copy(update={"data": base58.encode(EVENT + b"12345678rest")})
    short = mine.model_copy(update={"data": base58.encode(base58.decode(mine.data)[:-1])})
    inner = tuple(part for one in done.inner for part in ((strange, short, one) if one is mine else (one,)))
    found = read_events(str(PROGRAM), done.model_copy(update={"inner": inner}))
    assert [(place, event.kind) for place, event in found.events] == [(2, "Traded")]
    assert len(found.unknown) == 2


def test_the_program_is_the_last_account_of_all_that_tell() -> None:
    for entry in LAUNCHPAD.idl["instructions"]:
        assert [a["name"] for a in entry["accounts"]][-1:] == (["program"] if entry["accounts"] else [])
    assert [entry["name"] for entry in LAUNCHPAD.idl["instructions"] if not entry["accounts"]] == ["viewCurve"]
    Idl.from_json(IDL_FILE.read_text())


def test_it_works_where_programs_must_be_named_to_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    every = FeatureSet.all_enabled()
    active, inactive = every.active, every.inactive
    active.pop(LIFT)
    inactive.add(LIFT)
    old = FeatureSet(active, inactive)
    monkeypatch.setattr(ledger, "LiteSVM", lambda: _bank(old))
    sale = Sale(Ledger())
    sale.mint_all()
    sale.open()
    buyer = sale.ledger.wallet()
    assert kinds(told(sale, buy(sale, buyer), signers=[buyer])) == ["Traded"]


def _bank(used: FeatureSet) -> LiteSVM:
    made = LiteSVM.default().with_builtins(used).with_precompiles(used).with_sysvars().with_lamports(10**18)
    return made.with_spl_programs().with_sigverify(True)
