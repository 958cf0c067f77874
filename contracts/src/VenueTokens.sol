// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Says what ConditionalTokens, the pUSD adapters around it and the PositionManager say: positions split, merged,
/// redeemed and moved, conditions resolved. It keeps no balances: the local venue does.
contract VenueTokens {
    event PositionSplit(
        address indexed stakeholder,
        address collateralToken,
        bytes32 indexed parentCollectionId,
        bytes32 indexed conditionId,
        uint256[] partition,
        uint256 amount
    );
    event PositionsMerge(
        address indexed stakeholder,
        address collateralToken,
        bytes32 indexed parentCollectionId,
        bytes32 indexed conditionId,
        uint256[] partition,
        uint256 amount
    );
    event PayoutRedemption(
        address indexed redeemer,
        address indexed collateralToken,
        bytes32 indexed parentCollectionId,
        bytes32 conditionId,
        uint256[] indexSets,
        uint256 payout
    );
    event ConditionResolution(
        bytes32 indexed conditionId,
        address indexed oracle,
        bytes32 indexed questionId,
        uint256 outcomeSlotCount,
        uint256[] payoutNumerators
    );
    event TransferSingle(
        address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value
    );
    event TransferBatch(
        address indexed operator, address indexed from, address indexed to, uint256[] ids, uint256[] values
    );

    function split(address who, address collateral, bytes32 condition, uint256[] calldata partition, uint256 amount)
        external
    {
        emit PositionSplit(who, collateral, bytes32(0), condition, partition, amount);
    }

    function merge(address who, address collateral, bytes32 condition, uint256[] calldata partition, uint256 amount)
        external
    {
        emit PositionsMerge(who, collateral, bytes32(0), condition, partition, amount);
    }

    function redeem(address who, address collateral, bytes32 condition, uint256[] calldata indexSets, uint256 payout)
        external
    {
        emit PayoutRedemption(who, collateral, bytes32(0), condition, indexSets, payout);
    }

    function resolve(bytes32 condition, address oracle, bytes32 question, uint256[] calldata payouts) external {
        emit ConditionResolution(condition, oracle, question, payouts.length, payouts);
    }

    function move(address operator, address from, address to, uint256 id, uint256 value) external {
        emit TransferSingle(operator, from, to, id, value);
    }

    function moveMany(address operator, address from, address to, uint256[] calldata ids, uint256[] calldata values)
        external
    {
        emit TransferBatch(operator, from, to, ids, values);
    }
}
