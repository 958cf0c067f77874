// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Says that collateral moved, as any ERC-20 does.
contract VenueCash {
    event Transfer(address indexed from, address indexed to, uint256 value);

    function move(address from, address to, uint256 value) external {
        emit Transfer(from, to, value);
    }
}
