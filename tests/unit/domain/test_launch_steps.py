"""The launch as data: what is undone, in which order, what a promotion gives, what a payment is, where it is seen."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from domain.launchpad import promo, steps
from domain.launchpad.explorers import explorer_links
from domain.launchpad.payments import paid
from domain.launchpad.promo import FIFTY, FIVE, HALF, Durations
from domain.launchpad.request import PROMO_TIERS
from domain.launchpad.signing import MEMO
from domain.launchpad.solana import ChainTransaction
from domain.launchpad.steps import NO_RETURN, STEPS, Undo
from domain.launchpad.transactions import Instruction, Meta

PAYER, US, OTHER = "Payer111", "Platform1", "Stranger1"
SYSTEM = "11111111111111111111111111111111"


def test_nothing_before_the_mint_is_for_ever_and_everything_from_it_on() -> None:
    cut = STEPS.index(NO_RETURN)
    assert {step.undo for step in STEPS[:cut]} <= {Undo.NOTHING, Undo.UNPIN, Undo.REFUND}
    assert {step.undo for step in STEPS[cut:]} == {Undo.NEVER}
    assert [step.name for step in STEPS if step.chain] == ["mint", "create_sale"]


def test_the_money_comes_before_what_cannot_be_undone() -> None:
    assert steps.NAMES.index("promo_payment") < steps.NAMES.index(NO_RETURN.name)


@pytest.mark.parametrize(
    ("reached", "undone"),
    [
        ("validate", []),
        ("pin_images", ["pin_images"]),
        ("pin_metadata", ["pin_metadata", "pin_images"]),
        ("promo_payment", ["promo_payment", "pin_metadata", "pin_images"]),
        ("mint", ["promo_payment", "pin_metadata", "pin_images"]),
    ],
)
def test_undoing_goes_backwards_and_takes_the_half_done_step_along(reached: str, undone: list[str]) -> None:
    assert [step.name for step in steps.to_undo(reached)] == undone
    assert steps.reversible(reached)


@pytest.mark.parametrize("name", steps.NAMES[steps.NAMES.index("mint") + 1 :])
def test_after_the_mint_nothing_is_reversible(name: str) -> None:
    assert not steps.reversible(name)


def test_keys_name_one_effect_for_ever() -> None:
    keys = {steps.plan_key("id", step) for step in STEPS}
    assert len(keys) == len(STEPS)
    assert steps.plan_key("id", steps.MINT) == "launch:id:mint"


def test_every_tier_gives_what_the_one_below_gives_and_more() -> None:
    assert set(promo.FEATURES) == set(PROMO_TIERS)
    half, five, fifty = (set(promo.FEATURES[tier]) for tier in (HALF, FIVE, FIFTY))
    assert half < five < fifty
    assert "banner" in five - half
    assert "top" in fifty - five


def test_features_end_when_configured() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    bought = promo.features(FIFTY, listing=True, since=now, lasting=Durations(banner_s=60, top_s=90))
    assert bought["banner"] == now + timedelta(seconds=60)
    assert bought["top"] == now + timedelta(seconds=90)
    assert bought["listing"] is None
    assert promo.features(0, listing=False, since=now, lasting=Durations(1, 1)) == {}
    assert "listing" not in promo.features(HALF, listing=False, since=now, lasting=Durations(1, 1))


def test_the_listing_is_paid_with_the_tier() -> None:
    assert promo.price(HALF, listing=False, listing_lamports=7) == HALF
    assert promo.price(HALF, listing=True, listing_lamports=7) == HALF + 7


def transfer(source: str, to: str, lamports: int, program: str = SYSTEM, kind: int = 2) -> Instruction:
    data = kind.to_bytes(4, "little") + lamports.to_bytes(8, "little")
    metas = (Meta(address=source, signer=True, writable=True), Meta(address=to, writable=True))
    return Instruction(program=program, accounts=metas, data=base64.b64encode(data).decode())


def landed(*instructions: Instruction, err: object = None) -> ChainTransaction:
    return ChainTransaction(
        signature="s",
        slot=1,
        err=err,
        fee_lamports=5_000,
        accounts=(PAYER, US),
        pre_lamports=(10**9, 0),
        post_lamports=(0, 10**9),
        instructions=instructions,
        inner=(),
    )


FOR = promo.memo("account")


def said(words: str, program: str = MEMO) -> Instruction:
    return Instruction(program=program, accounts=(), data=base64.b64encode(words.encode()).decode())


def test_only_plain_transfers_of_the_payer_to_us_count() -> None:
    assert paid(landed(transfer(PAYER, US, 5), said(FOR)), PAYER, US, FOR) == 5
    assert paid(landed(transfer(PAYER, US, 5), said(FOR), transfer(PAYER, US, 7)), PAYER, US, FOR) == 12
    assert paid(landed(transfer(OTHER, US, 5), said(FOR)), PAYER, US, FOR) == 0
    assert paid(landed(transfer(PAYER, OTHER, 5), said(FOR)), PAYER, US, FOR) == 0
    assert paid(landed(transfer(PAYER, US, 5, program=OTHER), said(FOR)), PAYER, US, FOR) == 0
    assert paid(landed(transfer(PAYER, US, 5, kind=0), said(FOR)), PAYER, US, FOR) == 0


@pytest.mark.parametrize("words", [(), (said(promo.memo("another")),), (said(FOR + "0"),), (said(FOR, OTHER),)])
def test_a_payment_counts_for_whom_it_names(words: tuple[Instruction, ...]) -> None:
    assert paid(landed(transfer(PAYER, US, 5), *words), PAYER, US, FOR) == 0


def test_a_payment_that_failed_paid_nothing() -> None:
    failed = landed(transfer(PAYER, US, 5), said(FOR), err={"InstructionError": [0, "Custom"]})
    assert paid(failed, PAYER, US, FOR) == 0


def test_balances_are_no_payment() -> None:
    """Somebody else's payout to us in the payer's transaction: our balance rose, and he paid nothing."""
    assert paid(landed(said(FOR)), PAYER, US, FOR) == 0


def test_we_do_not_pay_ourselves() -> None:
    assert paid(landed(transfer(US, US, 5), said(FOR)), US, US, FOR) == 0


@pytest.mark.parametrize(
    ("cluster", "query"),
    [("mainnet-beta", ""), ("devnet", "?cluster=devnet"), ("localnet", "?cluster=custom")],
)
def test_explorers_know_the_cluster(cluster: str, query: str) -> None:
    assert explorer_links(cluster, "abc") == {
        "explorer": f"https://explorer.solana.com/tx/abc{query}",
        "solscan": f"https://solscan.io/tx/abc{query}",
    }
