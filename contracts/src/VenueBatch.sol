// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Several calls in one transaction, as an operator's relay or a user's Safe makes them.
contract VenueBatch {
    function run(address[] calldata targets, bytes[] calldata calls) external {
        require(targets.length == calls.length, "lengths differ");
        for (uint256 i = 0; i < targets.length; i++) {
            (bool ok,) = targets[i].call(calls[i]);
            require(ok, "call failed");
        }
    }
}
