"""The compute units of every instruction against the committed table programs/launchpad/compute.json.

A rise of a fifth fails; after a change on purpose: python -m tests.programs.test_compute writes the table again.
"""

from __future__ import annotations

import json

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction_metadata import TransactionMetadata

from domain.launchpad.curves import Shape
from programs import build
from tests.programs.graduation_lab import Pooled, wrapped
from tests.programs.lab import Sale
from tests.programs.ledger import FEE_BPS, MILLION, SOL, START, TOKEN, TOKEN_2022, Ledger, call, find
from tests.programs.test_payouts import settle_step

TABLE = build.HERE / "launchpad" / "compute.json"
TRADE_MOST = 120_000
GRADUATION_MOST = 400_000
"""Raydium's own `initialize` takes 167,000 (chains.md 3.2), the stand-in's 105,000: there is room for it."""


def measured(shape: Shape) -> dict[str, int]:
    """The dearest of both token programs: a mint with a fee, five uplines, a hard cap inside the sale."""
    found: dict[str, int] = {}
    for program, fee in ((TOKEN, 0), (TOKEN_2022, FEE_BPS)):
        for name, units in _one(shape, program, fee).items():
            found[name] = max(found.get(name, 0), units)
    return found


def _one(shape: Shape, program: object, fee: int) -> dict[str, int]:
    sale = Sale(Ledger(), program, fee, shape=int(shape), hardCap=60 * SOL)  # type: ignore[arg-type]
    sale.mint_all()
    done = {"createSale": sale.open()}
    chain = [sale.ledger.wallet() for _ in range(7)]
    for index, member in enumerate(chain):
        done["registerReferral"] = sale.register(member, chain[index - 1].pubkey() if index else None)
    buyer = chain[-1]
    done["buy, first"] = sale.buy(buyer, 10 * MILLION)
    done["buy, before the latch"] = sale.buy(buyer, 140 * MILLION)
    into = sale.new_account(buyer.pubkey())
    done["claim"] = sale.claim(buyer.pubkey(), into)
    done["buy, after the latch"] = sale.buy(buyer, MILLION, into=into)
    done["sell"] = sale.sell(buyer, into, MILLION)
    done["settleReferral"] = sale.ledger.send(settle_step(sale, chain))
    upline = chain[-2]
    own = {"user": upline.pubkey(), "referral": find(b"referral", upline.pubkey())}
    done["claimReferral"] = sale.ledger.send(call("claimReferral", own), signers=[upline])
    done["distribute"] = sale.ledger.send(call("distribute", sale.accounts()))
    failed = Sale(Ledger(), program, fee, shape=int(shape))  # type: ignore[arg-type]
    failed.mint_all()
    failed.open()
    failed.buy(failed.creator, MILLION)
    failed.ledger.set_time(START + 86_400)
    done["refund"] = failed.refund(failed.creator.pubkey())
    done["reclaim"] = failed.ledger.send(call("reclaim", failed.accounts()))
    unsold = Sale(failed.ledger)
    unsold.mint_all()
    unsold.open(endsAt=START + 86_401)
    done["cancelSale"] = unsold.ledger.send(call("cancelSale", unsold.accounts()), signers=[unsold.creator])
    done |= _after(sale, chain, into)
    return {name: result.compute_units_consumed() for name, result in done.items()}


def _after(sale: Sale, chain: list[Keypair], into: Pubkey) -> dict[str, TransactionMetadata]:
    """From the last trade to the last payment."""
    ledger, pooled, buyer = sale.ledger, Pooled(sale), chain[-1]
    done = {"burn": ledger.send(call("burn", sale.accounts(), MILLION // 1_000), signers=[sale.platform])}
    sale.buy(buyer, 2**63, into=into)
    ledger.send(settle_step(sale, chain))
    done["closePosition"] = ledger.send(call("closePosition", sale.accounts(buyer.pubkey())))
    done["graduate"] = pooled.graduate()
    ledger.set_time(START + 2)
    own = (wrapped(sale, buyer, SOL), into)
    done["pool: swapBaseInput"] = pooled.swap(buyer, own, SOL, buy=True)
    done["burnFromPool"] = pooled.burn(1_000_000)
    done["releaseOther"] = pooled.release_other(sale.new_account(sale.other.pubkey()))
    ledger.set_time(START + 20_000_000)
    done["claimVested"] = pooled.claim_vested(sale.new_account(sale.other.pubkey()))
    if sale.fee_bps:
        metas = [AccountMeta(key, False, True) for key in (sale.mint.pubkey(), into)]
        ledger.send(Instruction(sale.token_program, b"\x1a\x04", metas))
        rewards = {"rewardsTokens": sale.new_account(sale.recipients["rewards"])}
        done["harvest"] = ledger.send(call("harvest", {**sale.accounts(), **rewards}))
    return done


@pytest.mark.parametrize("shape", Shape)
def test_no_instruction_grows_by_a_fifth(shape: Shape) -> None:
    table = json.loads(TABLE.read_text())[shape.name.lower()]
    now = measured(shape)
    assert set(now) == set(table)
    assert {name: units for name, units in now.items() if units * 5 > table[name] * 6} == {}
    assert max(units for name, units in now.items() if name != "graduate") <= TRADE_MOST
    assert now["graduate"] <= GRADUATION_MOST


if __name__ == "__main__":
    TABLE.write_text(json.dumps({shape.name.lower(): measured(shape) for shape in Shape}, indent=1) + "\n")
