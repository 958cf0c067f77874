"""Durable nonces: what is planned for them, what the platform's key signs of it, and that their messages fit."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from solders.hash import Hash
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    AllocateWithSeedParams,
    AuthorizeNonceAccountParams,
    InitializeNonceAccountParams,
    TransferParams,
    WithdrawNonceAccountParams,
    advance_nonce_account,
    allocate_with_seed,
    authorize_nonce_account,
    initialize_nonce_account,
    transfer,
    withdraw_nonce_account,
)

from domain.launchpad.allocation import Allocation
from domain.launchpad.launching import Launch, LaunchPolicy
from domain.launchpad.nonces import BYTES, NONCE, RENT, address_of, advance, creation, value_in, void
from domain.launchpad.request import SOL, LaunchRequest
from domain.launchpad.signing import SYSTEM, check_programs
from domain.launchpad.steps import CURVE
from domain.launchpad.tokens import TokenSpec
from domain.launchpad.transactions import Instruction, Plan
from domain.shared.errors import Broken
from gateways.solana import classic_token, token_2022
from gateways.solana.launching import LaunchWire
from gateways.solana.messages import COMPUTE_MOST, built, compiled, unsigned
from gateways.solana.sale_addresses import SPL_TOKEN
from gateways.solana.token_2022 import rent
from tests.landing_lab import plain

CREATOR, THIEF, TREASURY, WALLET, VAULT, SALE, PROGRAM, POOL = (str(Pubkey.new_unique()) for _ in range(8))
ID = "01890a5d-ac96-774b-bcce-b302099a8057"
OTHER = "01890a5d-ac96-774b-bcce-b302099a8058"
SPACE_FOR_A_TRANSACTION = 1_232
SEED = ID.replace("-", "")


def key(address: str) -> Pubkey:
    return Pubkey.from_string(address)


PLACE = Pubkey.create_with_seed(key(WALLET), SEED, key(SYSTEM))


def check(plan: Plan) -> None:
    check_programs(plan, frozenset(), wallet=WALLET, treasury=TREASURY)


def test_it_is_made_as_solanas_library_makes_one() -> None:
    assert address_of(WALLET, ID) == str(PLACE)
    assert (rent(BYTES), len(creation(WALLET, ID).instructions)) == (RENT, 3)
    fund, allocate, begin = creation(WALLET, ID).instructions
    assert fund == plain(transfer(TransferParams(from_pubkey=key(WALLET), to_pubkey=PLACE, lamports=RENT)))
    place = AllocateWithSeedParams(address=PLACE, base=key(WALLET), seed=SEED, space=BYTES, owner=key(SYSTEM))
    assert allocate == plain(allocate_with_seed(place))
    params = InitializeNonceAccountParams(nonce_pubkey=PLACE, authority=key(WALLET))
    assert begin == plain(initialize_nonce_account(params))
    used = advance_nonce_account(AdvanceNonceAccountParams(nonce_pubkey=PLACE, authorized_pubkey=key(WALLET)))
    assert advance(WALLET, ID) == plain(used)


def test_it_is_signed_and_so_is_its_end() -> None:
    check(creation(WALLET, ID))
    check(void(WALLET, ID, "launch:1:mint", 1))


STOLEN = {
    "withdrawn": withdraw_nonce_account(
        WithdrawNonceAccountParams(
            nonce_pubkey=PLACE, authorized_pubkey=key(WALLET), to_pubkey=key(THIEF), lamports=RENT
        )
    ),
    "given to another": authorize_nonce_account(
        AuthorizeNonceAccountParams(nonce_pubkey=PLACE, authorized_pubkey=key(WALLET), new_authority=key(THIEF))
    ),
    "made for another": initialize_nonce_account(
        InitializeNonceAccountParams(nonce_pubkey=PLACE, authority=key(THIEF))
    ),
    "paid twice": transfer(TransferParams(from_pubkey=key(WALLET), to_pubkey=PLACE, lamports=RENT)),
}


@pytest.mark.parametrize("taken", STOLEN)
def test_nothing_else_is_signed(taken: str) -> None:
    step = plain(STOLEN[taken])
    made, used = creation(WALLET, ID), void(WALLET, ID, "launch:1:mint", 1)
    for instructions in (
        (step,),
        (*made.instructions, step),
        (*made.instructions[:2], step),
        (advance(WALLET, ID), step),
    ):
        for kind in (NONCE, "launch", "sale", "deployment"):
            with pytest.raises(Broken, match="not to be signed"):
                check(made.model_copy(update={"instructions": instructions, "subject_kind": kind}))
    for plan in (made, used):
        with pytest.raises(Broken, match="not to be signed"):
            check(plan.model_copy(update={"subject_id": OTHER}))
        with pytest.raises(Broken, match="not to be signed"):
            check(plan.model_copy(update={"payer": CREATOR}))
    with pytest.raises(Broken, match="not to be signed"):
        check(used.model_copy(update={"subject_kind": "launch"}))


def test_only_an_account_that_is_ready_holds_a_nonce() -> None:
    data = (1).to_bytes(4, "little") * 2 + bytes(key(WALLET)) + bytes(key(THIEF)) + bytes(8)
    assert value_in(SYSTEM, data) == THIEF
    for owner, told in ((THIEF, data), (SYSTEM, data[:-1]), (SYSTEM, bytes(80)), (SYSTEM, bytes(4) + data[4:])):
        assert value_in(owner, told) is None


@pytest.mark.parametrize("classic", [False, True])
def test_the_largest_mint_fits_with_a_nonce(classic: bool) -> None:
    program = SPL_TOKEN if classic else token_2022.TOKEN_2022
    spec = TokenSpec(
        mint=token_2022.mint_address(CREATOR, SEED, program), base=CREATOR, seed=SEED, payer=CREATOR, witness=WALLET,
        owner=SALE, vault=VAULT, name="n" * 32, symbol="s" * 10, uri="u" * 200, decimals=9, supply=2**64 - 1,
        fee_bps=0 if classic else 500, classic=classic,
    )  # fmt: skip
    assert size((classic_token if classic else token_2022).create_token(spec)) <= SPACE_FOR_A_TRANSACTION


def test_the_largest_sale_fits_with_a_nonce() -> None:
    """With a fee to the treasury, and every recipient another."""
    now = datetime(2026, 11, 21, tzinfo=UTC)
    request = LaunchRequest(
        name="Lab", symbol="LAB", total_supply=10**15, decimals=6, creator_wallet=CREATOR, signing="creator",
        allocation_bps=Allocation(public=4_000, team=1_500, liquidity=2_500, ecosystem=1_000, reserve=1_000),
        curve_type="exponential", initial_price=100 * 10**9, target_price=300 * 10**9, soft_cap_lamports=10 * SOL,
        hard_cap_lamports=50 * SOL, starts_at=now, ends_at=now + timedelta(days=1), transfer_fee_bps=100,
        max_wallet=10**12,
    )  # fmt: skip
    launch = Launch(
        id=ID, request=request, cluster="devnet", signing="creator", creator_wallet=CREATOR, status="running",
        step="create_sale", mint_seed=SEED, metadata_uri="u" * 200,
    )  # fmt: skip
    others = {name: str(Pubkey.new_unique()) for name in ("marketing", "rewards")}
    policy = LaunchPolicy(
        cluster="devnet", platform=WALLET, program=PROGRAM, pool_program=POOL, treasury=TREASURY, **others, tax_bps=200,
        referral_bps=2_500, listing_lamports=5, banner_s=1, top_s=1, budget_lamports=10**8, creation_fee_lamports=1,
    )  # fmt: skip
    assert size(LaunchWire(policy).plan(launch, CURVE).instructions) <= SPACE_FOR_A_TRANSACTION


def of_a_launch(steps: tuple[Instruction, ...]) -> Plan:
    return Plan(
        key="x", subject_kind="launch", subject_id="1", payer=CREATOR, instructions=steps, most_lamports=0
    )  # fmt: skip


def size(instructions: tuple[Instruction, ...]) -> int:
    plan = Plan(
        key="x", subject_kind="launch", subject_id="1", payer=CREATOR, instructions=instructions, most_lamports=0
    )
    return len(unsigned(compiled(plan, THIEF, limit=COMPUTE_MOST, price=2**63, advance=advance(WALLET, ID))))


def test_the_nonce_is_used_before_everything_else() -> None:
    plan = Plan(
        key="x",
        subject_kind="launch",
        subject_id="1",
        payer=CREATOR,
        instructions=(advance(WALLET, OTHER),),
        most_lamports=0,
    )
    message = MessageV0.from_bytes(compiled(plan, THIEF, limit=5, price=5, advance=advance(WALLET, ID))[1:])
    first = message.instructions[0]
    assert message.recent_blockhash == Hash.from_string(THIEF)
    assert str(message.account_keys[first.program_id_index]) == SYSTEM
    assert message.account_keys[bytes(first.accounts)[0]] == PLACE
    assert bytes(first.data) == bytes(built(advance(WALLET, ID)).data) == base64.b64decode(advance(WALLET, ID).data)
