// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Says what the modules of Protocol V2 say. The initiator is the Router; the user is the recipient.
contract VenueModule {
    event PositionsSplit(
        address indexed initiator,
        bytes31 indexed conditionId,
        address indexed recipient0,
        address recipient1,
        uint256 amount
    );
    event PositionsMerged(
        address indexed initiator, bytes31 indexed conditionId, address indexed recipient, uint256 amount
    );
    event PositionRedeemed(
        address indexed initiator, uint256 indexed positionId, address indexed recipient, uint256 amount, uint256 payout
    );
    event ConditionResolved(bytes31 indexed conditionId, uint256[] result);

    function split(address initiator, bytes31 condition, address recipient0, address recipient1, uint256 amount)
        external
    {
        emit PositionsSplit(initiator, condition, recipient0, recipient1, amount);
    }

    function merge(address initiator, bytes31 condition, address recipient, uint256 amount) external {
        emit PositionsMerged(initiator, condition, recipient, amount);
    }

    function redeem(address initiator, uint256 position, address recipient, uint256 amount, uint256 payout) external {
        emit PositionRedeemed(initiator, position, recipient, amount, payout);
    }

    function resolve(bytes31 condition, uint256[] calldata result) external {
        emit ConditionResolved(condition, result);
    }
}
