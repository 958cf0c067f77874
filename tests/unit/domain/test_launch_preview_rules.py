"""The preview adds up, warns, and says what is for ever; the metadata file has one form."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from domain.launchpad.cids import cid_of
from domain.launchpad.curves import reserve
from domain.launchpad.metadata import Metadata, Pinned, canonical, metadata_of
from domain.launchpad.preview import IRREVERSIBLE, ChainCosts, LaunchPrices, Preview, paid_by, preview
from domain.launchpad.request import SOL
from domain.launchpad.steps import NAMES
from gateways.solana.launch_costs import launch_costs
from tests.unit.domain.test_launch_request import NOW, PICTURE, VAULT, asked

CHAIN = ChainCosts(
    mint_rent=4_000, vault_rent=2_000, sale_rent=5_000, base_fees=20_000, priority=100, graduation=198_000_000
)
URI = "https://ipfs.io/ipfs/" + cid_of(b"")


def of(prices: LaunchPrices | None = None, **changes: Any) -> Preview:
    return preview(asked(**changes), prices or LaunchPrices(), CHAIN, NOW)


def codes(found: Preview) -> set[str]:
    return {caution.code for caution in found.warnings}


def test_who_signs_pays_the_chain_and_the_creator_pays_the_platform() -> None:
    prices = LaunchPrices(creation_fee_lamports=7)
    more = {"logo": PICTURE, "promo_tier_lamports": 5 * SOL, "listing": True}
    by_creator, by_platform = of(prices, signing="creator", **more), of(prices, signing="platform", **more)
    assert paid_by(by_creator.costs, "creator") == 31_100 + 7 + 5 * SOL + 5 * SOL
    assert paid_by(by_creator.costs, "platform") == 198_000_000
    assert paid_by(by_platform.costs, "creator") == 7 + 5 * SOL + 5 * SOL
    assert paid_by(by_platform.costs, "platform") == 31_100 + 198_000_000


@pytest.mark.parametrize("curve", ["linear", "exponential", "logarithmic"])
def test_the_points_rise_from_nothing_to_the_hard_cap(curve: str) -> None:
    request = asked(curve_type=curve)
    found = of(curve_type=curve)
    assert len(found.points) == 11
    assert (found.points[0].sold, found.points[0].raised) == (0, 0)
    assert found.points[0].price == request.initial_price
    assert found.points[-1].sold == found.most == request.most
    assert found.points[-1].raised <= request.hard_cap_lamports
    for before, after in zip(found.points, found.points[1:], strict=False):
        assert before.price < after.price
        assert before.raised < after.raised
    assert reserve(request.curve, found.soft_cap_tokens) >= request.soft_cap_lamports
    assert reserve(request.curve, found.soft_cap_tokens - 1) < request.soft_cap_lamports


def test_tokens_and_sol_of_a_full_sale_are_all_accounted_for() -> None:
    request, found = asked(transfer_fee_bps=100), of(transfer_fee_bps=100)
    assert sum(share.tokens for share in found.shares) == request.total_supply
    assert sum(share.bps for share in found.shares) == 10_000
    end, raised = found.end, found.points[-1].raised
    assert end.pool_lamports == raised * 7_000 // 10_000
    assert end.pool_lamports + end.vested_lamports == raised
    assert end.sent + end.burned + found.most == request.parts.public + request.parts.liquidity
    assert end.pool_tokens < end.arrived < end.sent


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"soft_cap_lamports": 14 * SOL}, "soft_cap_near_hard_cap"),
        ({"soft_cap_lamports": SOL}, "soft_cap_low"),
        ({"hard_cap_lamports": 100 * SOL}, "hard_cap_out_of_reach"),
        ({"initial_price": 10**8}, "steep_curve"),
        ({"initial_price": 10**11 - 1}, "flat_curve"),
        ({"ends_at": NOW + timedelta(minutes=59)}, "short_sale"),
        ({"ends_at": NOW + timedelta(days=91)}, "long_sale"),
        ({"starts_at": NOW + timedelta(days=31), "ends_at": NOW + timedelta(days=40)}, "late_start"),
        ({}, "no_logo"),
        ({}, "no_wallet_limit"),
        ({"max_wallet": 10**9}, "wallet_limit_low"),
        ({"creator_wallet": VAULT}, "creator_signs_not"),
        ({"transfer_fee_bps": 1}, "transfer_fee"),
        ({"logo": PICTURE, "promo_tier_lamports": 5 * SOL}, "promotion_unpaid"),
    ],
)
def test_warnings(changes: dict[str, Any], code: str) -> None:
    assert code in codes(of(**changes))


def test_a_careful_launch_has_no_warnings_and_the_budget_is_watched() -> None:
    careful = {"logo": PICTURE, "max_wallet": 10**15}
    assert codes(of(**careful)) == set()
    assert codes(of(LaunchPrices(budget_lamports=31_099), **careful)) == {"over_budget"}
    assert codes(of(LaunchPrices(budget_lamports=31_099), signing="creator", **careful)) == set()


def test_the_points_of_no_return_of_the_saga_are_named() -> None:
    named = [step for step, _ in IRREVERSIBLE]
    assert {"mint", "create_sale"} <= set(named) & set(NAMES)
    assert {"soft_cap", "graduation", "burn"} <= set(named)


def test_costs_of_the_chain_follow_the_request() -> None:
    small, large = (launch_costs(asked(name=name, signing="creator"), URI, 1_000_000) for name in ("x", "x" * 32))
    assert large.mint_rent - small.mint_rent == 31 * 6_960
    with_fee = launch_costs(asked(transfer_fee_bps=100), URI, 0)
    assert with_fee.mint_rent - launch_costs(asked(), URI, 0).mint_rent == (108 + 4) * 6_960
    assert with_fee.vault_rent > launch_costs(asked(), URI, 0).vault_rent
    assert (with_fee.priority, with_fee.base_fees, small.base_fees) == (0, 10_000, 20_000)
    assert 70_000 < small.priority < 250_000
    # a mint of 32, 10 and 200 bytes of text with a fee was measured at 672 bytes (chains.md 1.2)
    measured = launch_costs(asked(name="x" * 32, symbol="S" * 8, transfer_fee_bps=100), "u" * 202, 0)
    assert measured.mint_rent == 5_568_000


def test_the_metadata_file_is_metaplexs_and_always_the_same() -> None:
    request = asked(
        name="Hälfte", description='Says "hi"', logo=PICTURE, banner=PICTURE,
        links={"website": "https://a.example", "twitter": "https://t.example"},
    )  # fmt: skip
    pictures = {"logo": Pinned("bafkrei1", "image/png"), "banner": Pinned("bafkrei2", "image/gif")}
    content = canonical(metadata_of(request, pictures, "https://ipfs.io/ipfs/"))
    assert content == canonical(metadata_of(request, dict(reversed(pictures.items())), "https://ipfs.io/ipfs"))
    assert json.loads(content) == {
        "name": "Hälfte",
        "symbol": "HOLD",
        "description": 'Says "hi"',
        "image": "https://ipfs.io/ipfs/bafkrei1",
        "external_url": "https://a.example",
        "properties": {
            "category": "image",
            "files": [
                {"uri": "https://ipfs.io/ipfs/bafkrei1", "type": "image/png"},
                {"uri": "https://ipfs.io/ipfs/bafkrei2", "type": "image/gif"},
            ],
        },
        "extensions": {
            "website": "https://a.example",
            "twitter": "https://t.example",
            "banner": "https://ipfs.io/ipfs/bafkrei2",
        },
    }
    assert Metadata.model_validate_json(content).symbol == "HOLD"
    assert b'"description":"Says \\"hi\\"","extensions"' in content


def test_a_launch_without_pictures_has_metadata() -> None:
    value = json.loads(canonical(metadata_of(asked(), {}, "https://ipfs.io/ipfs")))
    assert "image" not in value
    assert value["properties"]["files"] == []
