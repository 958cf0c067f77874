"""The local venue's contracts emit the real event signatures, and the product's table knows them by the same topics."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak

from contracts import load
from domain.copytrade.contracts import DEFAULT, Speaks
from localnet.polymarket.chain_calls import CODE

# As published by the venue's indexers and computed from its sources (polymarket.md 2.2).
PUBLISHED = {
    ("VenueExchange", "OrderFilled"): "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee",
    ("VenueExchange", "OrdersMatched"): "0x174b3811690657c217184f89418266767c87e4805d09680c39fc9c031c0cab7c",
    ("VenueExchange", "FeeCharged"): "0x55bb3cade9d43b798a4fe5ffdd05024b2d7870df53920673bfc7e68047cd0ab1",
    ("VenueExchangeV1", "OrderFilled"): "0xd0a08e8c493f9c94f29311604c9de1b4e8c8d4c06bd0c789af57f2d65bfec0f6",
    ("VenueExchangeV1", "OrdersMatched"): "0x63bf4d16b7fa898ef4c4b2b6d90fd201e9c56313b65638af6088d149d2ce956c",
    ("VenueExchangeV1", "FeeCharged"): "0xacffcc86834d0f1a64b0d5a675798deed6ff0bcfc2231edd3480e7288dba7ff4",
    ("VenueTokens", "PositionSplit"): "0x2e6bb91f8cbcda0c93623c54d0403a43514fabc40084ec96b6d5379a74786298",
    ("VenueTokens", "PositionsMerge"): "0x6f13ca62553fcc2bcd2372180a43949c1e4cebba603901ede2f4e14f36b282ca",
    ("VenueTokens", "PayoutRedemption"): "0x2682012a4a4f1973119f1c9b90745d1bd91fa2bab387344f044cb3586864d18d",
    ("VenueTokens", "ConditionResolution"): "0xb44d84d3289691f71497564b85d4233648d9dbae8cbdbb4329f301c3a0185894",
    ("VenueTokens", "TransferSingle"): "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62",
    ("VenueTokens", "TransferBatch"): "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb",
    ("VenueNegRisk", "PositionSplit"): "0xbbed930dbfb7907ae2d60ddf78345610214f26419a0128df39b6cc3d9e5df9b0",
    ("VenueNegRisk", "PositionsMerge"): "0xba33ac50d8894676597e6e35dc09cff59854708b642cd069d21eb9c7ca072a04",
    ("VenueNegRisk", "PositionsConverted"): "0xb03d19dddbc72a87e735ff0ea3b57bef133ebe44e1894284916a84044deb367e",
    ("VenueNegRisk", "PayoutRedemption"): "0x9140a6a270ef945260c03894b3c6b3b2695e9d5101feef0ff24fec960cfd3224",
    ("VenueModule", "PositionsSplit"): "0xb6a6b8b17a43b07b9359dd12d304e42077eede9e672f8646144842c8604582a4",
    ("VenueModule", "PositionsMerged"): "0xf233f7be4ce81130a78e8eb2fa626497586c56094d27bfec2e196471e9c60301",
    ("VenueModule", "PositionRedeemed"): "0x4fd474b703f46b453536518b4cbc159dfbea6fd663233763d321a9bc8ccdf97f",
    ("VenueModule", "ConditionResolved"): "0xe560c1a2847d4cf2e66de11fe592605556989449f38cc3ab96e2e287daa68caa",
    ("VenueCash", "Transfer"): "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
}

READ = {
    "order_filled": ("VenueExchange", "OrderFilled"),
    "order_filled_v1": ("VenueExchangeV1", "OrderFilled"),
    "position_split": ("VenueTokens", "PositionSplit"),
    "positions_merge": ("VenueTokens", "PositionsMerge"),
    "payout_redemption": ("VenueTokens", "PayoutRedemption"),
    "neg_risk_split": ("VenueNegRisk", "PositionSplit"),
    "neg_risk_merge": ("VenueNegRisk", "PositionsMerge"),
    "positions_converted": ("VenueNegRisk", "PositionsConverted"),
    "neg_risk_redemption": ("VenueNegRisk", "PayoutRedemption"),
    "condition_resolution": ("VenueTokens", "ConditionResolution"),
    "transfer_single": ("VenueTokens", "TransferSingle"),
    "transfer_batch": ("VenueTokens", "TransferBatch"),
    "module_split": ("VenueModule", "PositionsSplit"),
    "module_merge": ("VenueModule", "PositionsMerged"),
    "module_redeem": ("VenueModule", "PositionRedeemed"),
    "module_resolved": ("VenueModule", "ConditionResolved"),
    "cash_transfer": ("VenueCash", "Transfer"),
}


def events() -> dict[tuple[str, str], str]:
    found = {}
    for name in {contract for contract, _ in PUBLISHED}:
        for item in load(name).abi:
            if item["type"] == "event":
                signature = f"{item['name']}({','.join(part['type'] for part in item['inputs'])})"
                found[name, item["name"]] = "0x" + keccak(signature.encode()).hex()
    return found


def test_every_event_has_the_published_topic() -> None:
    assert events() == PUBLISHED


def test_the_products_table_reads_the_same_topics() -> None:
    known = DEFAULT.topics.model_dump()
    assert known == {name: PUBLISHED[event] for name, event in READ.items()}


INDEXED = {
    ("VenueExchange", "OrderFilled"): ["orderHash", "maker", "taker"],
    ("VenueExchangeV1", "OrderFilled"): ["orderHash", "maker", "taker"],
    ("VenueTokens", "PositionSplit"): ["stakeholder", "parentCollectionId", "conditionId"],
    ("VenueTokens", "PayoutRedemption"): ["redeemer", "collateralToken", "parentCollectionId"],
    ("VenueNegRisk", "PositionsConverted"): ["stakeholder", "marketId", "indexSet"],
    ("VenueModule", "PositionsSplit"): ["initiator", "conditionId", "recipient0"],
    ("VenueModule", "PositionRedeemed"): ["initiator", "positionId", "recipient"],
}


@pytest.mark.parametrize("event", INDEXED, ids=":".join)
def test_the_filtered_parameters_are_indexed_where_the_subscription_looks(event: tuple[str, str]) -> None:
    found = next(item for item in load(event[0]).abi if item.get("name") == event[1] and item["type"] == "event")
    assert [part["name"] for part in found["inputs"] if part["indexed"]] == INDEXED[event]


def test_every_kind_of_contract_that_speaks_has_code() -> None:
    assert {contract.speaks for contract in DEFAULT.contracts} - set(CODE) == {Speaks.HOUSE}
