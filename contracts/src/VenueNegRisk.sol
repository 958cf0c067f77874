// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Says what the NegRiskAdapter says: shorter split and merge events, redemptions by amounts, and conversions.
contract VenueNegRisk {
    event PositionSplit(address indexed stakeholder, bytes32 indexed conditionId, uint256 amount);
    event PositionsMerge(address indexed stakeholder, bytes32 indexed conditionId, uint256 amount);
    event PositionsConverted(
        address indexed stakeholder, bytes32 indexed marketId, uint256 indexed indexSet, uint256 amount
    );
    event PayoutRedemption(
        address indexed redeemer, bytes32 indexed conditionId, uint256[] amounts, uint256 payout
    );

    function split(address who, bytes32 condition, uint256 amount) external {
        emit PositionSplit(who, condition, amount);
    }

    function merge(address who, bytes32 condition, uint256 amount) external {
        emit PositionsMerge(who, condition, amount);
    }

    function convert(address who, bytes32 market, uint256 indexSet, uint256 amount) external {
        emit PositionsConverted(who, market, indexSet, amount);
    }

    function redeem(address who, bytes32 condition, uint256[] calldata amounts, uint256 payout) external {
        emit PayoutRedemption(who, condition, amounts, payout);
    }
}
