"""What the platform's key signs: everything our plans consist of, and nothing that gives the wallet away."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from solders.pubkey import Pubkey
from solders.system_program import (
    AllocateWithSeedParams,
    AssignParams,
    AssignWithSeedParams,
    CreateAccountParams,
    TransferWithSeedParams,
    allocate_with_seed,
    assign,
    assign_with_seed,
    create_account,
    transfer_with_seed,
)

from domain.launchpad.sale import SaleKeys
from domain.launchpad.signing import ASSOCIATED, LOADER, SYSTEM, check_programs
from domain.launchpad.tokens import TokenSpec
from domain.launchpad.transactions import Instruction, Meta, Plan
from domain.shared.errors import Broken
from gateways.solana import classic_token, token_2022
from gateways.solana.loader import LoaderProgram
from gateways.solana.sale_addresses import SPL_TOKEN, associated
from gateways.solana.sale_program import SaleProgram
from gateways.solana.token_2022 import TOKEN_2022, step, transfer_sol
from gateways.solana.withheld import harvest_to_mint
from tests.landing_lab import plain

OWN, POOL, WALLET, TREASURY, CREATOR, THIEF, SALE = (str(Pubkey.new_unique()) for _ in range(7))
SEED = "seed"
DEPLOYMENT = "01890a5d-ac96-774b-bcce-b302099a8057"
LOADERS = Pubkey.from_string(LOADER)


def key(address: str) -> Pubkey:
    return Pubkey.from_string(address)


def token(payer: str = WALLET, program: str = TOKEN_2022, **change: Any) -> TokenSpec:
    mint = token_2022.mint_address(payer, SEED, program)
    given: dict[str, Any] = {
        **{"mint": mint, "base": payer, "seed": SEED, "payer": payer, "witness": WALLET, "owner": SALE},
        **{"vault": associated(SALE, mint, program), "name": "Test", "symbol": "TST", "uri": "ipfs://x"},
        **{"decimals": 6, "supply": 10**15, "fee_bps": 100, "classic": program == SPL_TOKEN},
    }
    return TokenSpec(**{**given, **change})


def check(kind: str, *steps: Instruction, payer: str = WALLET) -> None:
    plan = Plan(key="x", subject_kind=kind, subject_id="1", payer=payer, instructions=steps, most_lamports=0)
    check_programs(plan, frozenset({OWN, POOL}), wallet=WALLET, treasury=TREASURY)


def test_what_makes_a_token_is_signed() -> None:
    for payer in (WALLET, CREATOR):
        check("launch", *token_2022.create_token(token(payer)), payer=payer)
        check("launch", *token_2022.create_token(token(payer, fee_bps=0)), payer=payer)
        check("launch", *classic_token.create_token(token(payer, SPL_TOKEN, fee_bps=0)), payer=payer)
    check("launch", transfer_sol(CREATOR, TREASURY, 5), step(OWN, b"create"), payer=CREATOR)


def test_what_a_deployment_does_is_signed() -> None:
    loader = LoaderProgram(WALLET)
    buffer, program = loader.buffer_address(DEPLOYMENT), loader.program_address("launchpad")
    for act in (
        loader.open_buffer(DEPLOYMENT, 1_000),
        loader.write(buffer, 0, b"\x7fELF"),
        loader.publish("launchpad", buffer, 1_000),
        loader.make_final(program),
        loader.close(buffer),
    ):
        check("deployment", *act.instructions)


def test_what_a_sale_needs_is_signed() -> None:
    mint = token().mint
    keys = SaleKeys(
        address=SALE, mint=mint, vault=token().vault, token_program=TOKEN_2022, creator=CREATOR, platform=WALLET
    )
    program = SaleProgram(OWN, POOL)
    check("sale", harvest_to_mint(mint, TOKEN_2022, [THIEF]), program.harvest(keys, CREATOR))
    check("sale", *program.release_other(keys, WALLET, CREATOR), program.reclaim(keys))
    check("sale_refund", program.refund(keys, CREATOR))


def seeds(base: str = WALLET, owner: Pubkey = LOADERS, address: Pubkey | None = None) -> Instruction:
    at = address or Pubkey.create_with_seed(key(base), SEED, owner)
    return plain(
        allocate_with_seed(AllocateWithSeedParams(address=at, base=key(base), seed=SEED, space=9, owner=owner))
    )


def seeded(base: str = WALLET, owner: Pubkey = LOADERS) -> str:
    return str(Pubkey.create_with_seed(key(base), SEED, owner))


TOKENS_2022 = key(TOKEN_2022)
MINE = associated(WALLET, token().mint, TOKEN_2022)
STEALS = {
    "lamports": [transfer_sol(WALLET, THIEF, 1)],
    "lamports to a seed of the thief": [transfer_sol(WALLET, seeded(THIEF), 1), seeds(THIEF)],
    "lamports to a program of the thief": [
        transfer_sol(WALLET, seeded(owner=key(THIEF)), 1),
        seeds(owner=key(THIEF)),
    ],
    "lamports under another address": [transfer_sol(WALLET, THIEF, 1), seeds(address=key(THIEF))],
    "lamports of a seed": [
        plain(
            transfer_with_seed(
                TransferWithSeedParams(
                    from_pubkey=key(seeded()), from_base=key(WALLET), from_seed=SEED, from_owner=LOADERS,
                    to_pubkey=key(THIEF), lamports=1,
                )
            )
        )
    ],
    "an account": [
        plain(
            create_account(
                CreateAccountParams(
                    from_pubkey=key(WALLET), to_pubkey=key(THIEF), lamports=1, space=0, owner=LOADERS
                )
            )
        )
    ],
    "the wallet": [plain(assign(AssignParams(pubkey=key(WALLET), owner=key(THIEF))))],
    "a seed of the wallet": [
        plain(
            assign_with_seed(
                AssignWithSeedParams(address=key(seeded()), base=key(WALLET), seed=SEED, owner=key(THIEF))
            )
        )
    ],
    "nothing that can be read": [Instruction(program=SYSTEM, data=base64.b64encode(b"\x09\0\0\0").decode())],
    "tokens": [step(TOKEN_2022, b"\x03" + struct.pack("<Q", 1), Meta(address=MINE), Meta(address=THIEF))],
    "tokens, checked": [step(TOKEN_2022, b"\x0c" + bytes(9), Meta(address=MINE))],
    "tokens, with a fee": [step(TOKEN_2022, b"\x1a\x01" + bytes(17), Meta(address=MINE))],
    "the use of tokens": [step(SPL_TOKEN, b"\x04" + bytes(8), Meta(address=MINE), Meta(address=THIEF))],
    "a token account": [step(SPL_TOKEN, b"\x06\x02\x01" + bytes(key(THIEF)), Meta(address=MINE))],
    "burnt tokens": [step(TOKEN_2022, b"\x08" + bytes(8), Meta(address=MINE))],
    "the rent of a token account": [step(TOKEN_2022, b"\x09", Meta(address=MINE), Meta(address=THIEF))],
    "a nested account": [step(ASSOCIATED, b"\x02", Meta(address=MINE))],
    "tokens that are made": [step(TOKEN_2022, b"\x07" + bytes(8), Meta(address=token().mint), Meta(address=THIEF))],
}  # fmt: skip


@pytest.mark.parametrize("kind", ["launch", "sale", "sale_refund", "deployment"])
@pytest.mark.parametrize("taken", STEALS)
def test_nothing_of_the_platform_is_given_away(kind: str, taken: str) -> None:
    with pytest.raises(Broken, match="not to be signed"):
        check(kind, *STEALS[taken])


@pytest.mark.parametrize("taken", [name for name in STEALS if name != "lamports"])
def test_paying_a_promotion_back_gives_nothing_else_away(taken: str) -> None:
    """One plain transfer is all of it; whether it is the one that is owed, the books say."""
    with pytest.raises(Broken, match="not to be signed"):
        check("promo_refund", *STEALS[taken])
    pays = transfer_sol(WALLET, CREATOR, 1)
    check("promo_refund", pays)
    for more in (pays, step(OWN, b"sell")):
        with pytest.raises(Broken, match="not to be signed"):
            check("promo_refund", pays, more)


@pytest.mark.parametrize("kind", ["sale", "sale_refund"])
def test_only_launches_and_deployments_fund_accounts(kind: str) -> None:
    for steps in (
        [seeds()],
        [seeds(owner=TOKENS_2022), transfer_sol(WALLET, seeded(owner=TOKENS_2022), 1)],
        [transfer_sol(WALLET, TREASURY, 1)],
        token_2022.create_token(token()),
    ):
        with pytest.raises(Broken, match="not to be signed"):
            check(kind, *steps)


def test_a_launch_makes_its_own_mint_alone() -> None:
    made = token_2022.create_token(token())
    other = step(TOKEN_2022, b"\x06\x00\x00", Meta(address=MINE))
    with pytest.raises(Broken, match=f"instruction {len(made)} of x"):
        check("launch", *made, other)
    with pytest.raises(Broken, match="not to be signed"):
        check("launch", step(classic_token.METAPLEX, b"\x0f", Meta(address=MINE)))


@pytest.mark.parametrize("kind", ["sale_trade", "", "payment"])
def test_a_plan_of_another_kind_is_not_signed(kind: str) -> None:
    with pytest.raises(Broken, match="not to be signed"):
        check(kind, step(OWN, b"sell"))
