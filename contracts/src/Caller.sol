// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

interface IToken {
    function transfer(address to, uint256 amount) external returns (bool);
}

/// Moves tokens and ETH from inside a contract call, for tests: what an indexer that only reads the
/// outer transaction would miss. It spends what was sent to it before.
contract Caller {
    receive() external payable {}

    function move(IToken token, address to, uint256 amount) external {
        require(token.transfer(to, amount), "transfer said false");
    }

    function moveMany(IToken token, address[] calldata to, uint256[] calldata amounts) external {
        require(to.length == amounts.length, "lengths differ");
        for (uint256 i = 0; i < to.length; i++) {
            require(token.transfer(to[i], amounts[i]), "transfer said false");
        }
    }

    /// Transfers the tokens and then fails: the receipt has status 0 and no logs.
    function moveAndRevert(IToken token, address to, uint256 amount) external {
        require(token.transfer(to, amount), "transfer said false");
        revert("undone");
    }

    function sendEther(address payable to, uint256 amount) external payable {
        (bool ok, ) = to.call{value: amount}("");
        require(ok, "send failed");
    }
}
