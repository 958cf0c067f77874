"""What the platform's key may have the loader do: everything a deployment does, and nothing that gives it away."""

from __future__ import annotations

import base64

import pytest

from domain.launchpad.deployment import SUBJECT
from domain.launchpad.signing import LOADER, check_programs
from domain.launchpad.transactions import Instruction, Meta, Plan
from domain.shared.errors import Broken

WALLET, OTHER, BUFFER = "wallet", "other", "buffer"


def step(act: int, *addresses: str) -> Instruction:
    accounts = tuple(Meta(address=address) for address in addresses)
    return Instruction(program=LOADER, accounts=accounts, data=base64.b64encode(act.to_bytes(4, "little")).decode())


def check(*steps: Instruction) -> None:
    plan = Plan(
        key="deployment:1:x", subject_kind=SUBJECT, subject_id="1", payer=WALLET, instructions=steps, most_lamports=0
    )
    check_programs(plan, frozenset(), wallet=WALLET, treasury="treasury")


@pytest.mark.parametrize(
    "allowed",
    [
        step(0, BUFFER, WALLET),
        step(1, BUFFER, WALLET),
        step(2, WALLET, "data", "program", BUFFER, "rent", "clock", "system", WALLET),
        step(4, "data", WALLET),
        step(5, BUFFER, WALLET, WALLET),
    ],
)
def test_what_a_deployment_does_is_signed(allowed: Instruction) -> None:
    check(allowed)


@pytest.mark.parametrize(
    "refused",
    [
        step(0, BUFFER, OTHER),  # a buffer that somebody else may write
        step(3, "data", "program", BUFFER, OTHER),  # another program in place of one that stands
        step(4, "data", WALLET, OTHER),  # the right to change it
        step(5, BUFFER, OTHER, WALLET),  # its rent
        step(5, BUFFER),
        step(6, "data", "program"),
        step(7, "data", WALLET, OTHER),
    ],
)
def test_nothing_is_given_away(refused: Instruction) -> None:
    with pytest.raises(Broken, match="not to be signed"):
        check(step(1, BUFFER, WALLET), refused)
