// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// A token that misbehaves on request, for tests. Anybody can mint and turn its switches.
contract HostileToken {
    /// Honest moves and logs. ReturnsFalse does nothing and says false. Silent moves and logs nothing.
    /// NoReturn moves and logs but returns no data (as USDT does). FeeOnTransfer delivers less than asked
    /// and logs what was delivered. LyingFee delivers less and logs the full amount. Spoof moves nothing,
    /// but logs the transfer and returns true.
    enum Mode { Honest, ReturnsFalse, Silent, NoReturn, FeeOnTransfer, LyingFee, Spoof }

    string public constant name = "Hostile Dollar";
    string public constant symbol = "USDC";
    uint8 public constant decimals = 6;

    Mode public mode;
    uint256 public feeBps = 100;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    mapping(address => bool) public blacklisted;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    function setMode(Mode value) external {
        mode = value;
    }

    function setFeeBps(uint256 value) external {
        feeBps = value;
    }

    function setBlacklisted(address account, bool value) external {
        blacklisted[account] = value;
    }

    function mint(address to, uint256 amount) external {
        totalSupply += amount;
        balanceOf[to] += amount;
        emit Transfer(address(0), to, amount);
    }

    /// A Transfer event of this token that moves no balance.
    function spoof(address from, address to, uint256 amount) external {
        emit Transfer(from, to, amount);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        emit Approval(msg.sender, spender, amount);
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return _answer(_move(msg.sender, to, amount));
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        return _answer(_move(from, to, amount));
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        require(!blacklisted[from] && !blacklisted[to], "blacklisted");
        if (mode == Mode.ReturnsFalse) return false;
        if (mode == Mode.Spoof) {
            emit Transfer(from, to, amount);
            return true;
        }
        uint256 fee = mode == Mode.FeeOnTransfer || mode == Mode.LyingFee ? (amount * feeBps) / 10000 : 0;
        balanceOf[from] -= amount;
        balanceOf[to] += amount - fee;
        totalSupply -= fee;
        if (mode != Mode.Silent) emit Transfer(from, to, mode == Mode.LyingFee ? amount : amount - fee);
        return true;
    }

    /// Ends the call without return data when the mode says so.
    function _answer(bool ok) private view returns (bool) {
        if (mode == Mode.NoReturn) {
            assembly {
                return(0, 0)
            }
        }
        return ok;
    }
}
