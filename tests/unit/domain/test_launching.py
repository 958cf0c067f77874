"""What a launch puts on the chain: terms from the request, and each of them compared by the step that reports it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.launchpad import launching
from domain.launchpad.allocation import Allocation
from domain.launchpad.launching import Launch, LaunchPolicy, Wanted
from domain.launchpad.request import SOL, LaunchRequest, check_request
from domain.launchpad.sale import OnChain, Recipients, SaleKeys, SaleState, Terms
from domain.launchpad.steps import CURVE, LIQUIDITY, REFERRAL, TAX

NOW = datetime(2026, 11, 21, tzinfo=UTC)
WALLET = "GsbwXfJraMomNxBcjYLcG3mxkBUiyWXAB32fGbSMQRdW"
POLICY = LaunchPolicy(
    cluster="devnet",
    platform="Platform",
    program="Program",
    pool_program="Pool",
    marketing="Marketing",
    treasury="Treasury",
    rewards="Rewards",
    tax_bps=200,
    referral_bps=2_500,
    listing_lamports=5,
    banner_s=1,
    top_s=1,
    budget_lamports=10**8,
)
REQUEST = LaunchRequest(
    name="Lab",
    symbol="LAB",
    total_supply=10**15,
    decimals=6,
    allocation_bps=Allocation(public=4_000, team=1_500, liquidity=2_500, ecosystem=1_000, reserve=1_000),
    curve_type="exponential",
    initial_price=100 * 10**9,
    target_price=300 * 10**9,
    soft_cap_lamports=10 * SOL,
    hard_cap_lamports=50 * SOL,
    starts_at=NOW,
    ends_at=NOW + timedelta(days=1),
    transfer_fee_bps=100,
    max_wallet=10**12,
    creator_wallet=WALLET,
)
KEYS = SaleKeys(address="Sale", mint="Mint", vault="Vault", token_program="T22", creator="Creator", platform="Platform")


def launch(**change: Any) -> Launch:
    known = {"id": "id", "request": REQUEST, "cluster": "devnet", "signing": "platform", "creator_wallet": WALLET,
             "status": "running", "step": "mint", "mint_seed": "seed"}  # fmt: skip
    return Launch(**{**known, **change})


def wanted() -> Wanted:
    return Wanted(
        keys=KEYS,
        terms=launching.terms_of(REQUEST, POLICY),
        recipients=launching.recipients_of(launch(), POLICY),
        pool_program="Pool",
        amm_config="Config",
    )


def standing(asked: Wanted, **change: Any) -> SaleState:
    """The account as the program would have written it."""
    zeros = dict.fromkeys(set(SaleState.model_fields) - {"terms"}, 0)
    written = {
        **zeros, **asked.keys.model_dump(), **asked.recipients.model_dump(), "terms": asked.terms,
        "pool_program": asked.pool_program, "amm_config": asked.amm_config, "status": OnChain.ACTIVE,
        "latched": False, "reclaimed": False,
    }  # fmt: skip
    return SaleState(**{**written, **change})


def test_the_terms_are_the_requests() -> None:
    check_request(REQUEST, NOW)
    terms = launching.terms_of(REQUEST, POLICY)
    parts = (terms.sale_supply, terms.liquidity_supply, terms.team_supply, terms.other_supply)
    assert sum(parts) == REQUEST.total_supply
    assert parts == (4 * 10**14, 25 * 10**13, 15 * 10**13, 2 * 10**14)
    assert (terms.most, terms.shape, terms.tax_bps, terms.referral_bps) == (REQUEST.most, 1, 200, 2_500)
    assert terms.ends_at - terms.starts_at == 86_400
    assert (terms.cliff_seconds, terms.vest_seconds) == (180 * 86_400, 720 * 86_400)


def test_whoever_signs_is_the_sales_creator_and_other_tokens_are_the_creators() -> None:
    assert launch(signing="creator").authority("Platform") == WALLET
    assert launch(signing="platform").authority("Platform") == "Platform"
    assert launching.recipients_of(launch(), POLICY) == Recipients(
        marketing="Marketing", treasury="Treasury", rewards="Rewards", other_owner=WALLET
    )


def test_what_stands_as_asked_has_no_differences() -> None:
    asked = wanted()
    assert [launching.sale_differences(step, asked, standing(asked)) for step in launching.PARTS] == [[], [], [], []]


FIELDS = {
    "creator": CURVE, "mint": CURVE, "vault": CURVE, "platform": CURVE, "token_program": CURVE, "marketing": TAX,
    "treasury": TAX, "rewards": TAX, "other_owner": LIQUIDITY, "pool_program": LIQUIDITY, "amm_config": LIQUIDITY,
}  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_every_address_is_compared_by_its_step_alone(field: str) -> None:
    asked = wanted()
    found = standing(asked, **{field: "Stranger"})
    for step in launching.PARTS:
        said = launching.sale_differences(step, asked, found)
        assert bool(said) == (step is FIELDS[field]), said


@pytest.mark.parametrize("field", Terms.model_fields)
def test_every_term_is_compared_by_exactly_one_step(field: str) -> None:
    """A term the program stores and nobody compares would be a term anybody could have changed."""
    asked = wanted()
    other = asked.terms.model_copy(update={field: getattr(asked.terms, field) + 1})
    found = standing(asked, terms=other)
    assert sum(bool(launching.sale_differences(step, asked, found)) for step in launching.PARTS) == 1


def test_each_step_says_what_it_registered() -> None:
    asked = wanted()
    said = {step: launching.registered(step, asked) for step in (CURVE, TAX, REFERRAL, LIQUIDITY)}
    assert "200 bps" in said[TAX]
    assert "2500 bps" in said[REFERRAL]
    assert "Pool" in said[LIQUIDITY]
    assert "Sale" in said[CURVE]
