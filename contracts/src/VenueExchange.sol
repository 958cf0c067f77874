// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Says what Polymarket's exchanges of today say (CTF Exchange V2, NegRisk V2, ExchangeV3): the same events, in the
/// same order, from the same kind of call. It holds nothing and checks nothing: the local venue has matched already.
contract VenueExchange {
    struct Fill {
        bytes32 orderHash;
        address maker;
        uint8 side;
        uint256 tokenId;
        uint256 makerAmountFilled;
        uint256 takerAmountFilled;
        uint256 fee;
    }

    event OrderFilled(
        bytes32 indexed orderHash,
        address indexed maker,
        address indexed taker,
        uint8 side,
        uint256 tokenId,
        uint256 makerAmountFilled,
        uint256 takerAmountFilled,
        uint256 fee,
        bytes32 builder,
        bytes32 metadata
    );
    event OrdersMatched(
        bytes32 indexed takerOrderHash,
        address indexed takerOrderMaker,
        uint8 side,
        uint256 tokenId,
        uint256 makerAmountFilled,
        uint256 takerAmountFilled
    );
    event FeeCharged(address indexed receiver, uint256 amount);

    /// One OrderFilled per maker order, then the taker's own with this contract as its taker, then OrdersMatched.
    function matchOrders(Fill calldata takerOrder, Fill[] calldata makerOrders, address feeReceiver) external {
        for (uint256 i = 0; i < makerOrders.length; i++) {
            filled(makerOrders[i], takerOrder.maker, feeReceiver);
        }
        filled(takerOrder, address(this), feeReceiver);
        emit OrdersMatched(
            takerOrder.orderHash,
            takerOrder.maker,
            takerOrder.side,
            takerOrder.tokenId,
            takerOrder.makerAmountFilled,
            takerOrder.takerAmountFilled
        );
    }

    function filled(Fill calldata order, address taker, address feeReceiver) private {
        if (order.fee > 0) {
            emit FeeCharged(feeReceiver, order.fee);
        }
        emit OrderFilled(
            order.orderHash,
            order.maker,
            taker,
            order.side,
            order.tokenId,
            order.makerAmountFilled,
            order.takerAmountFilled,
            order.fee,
            bytes32(0),
            bytes32(0)
        );
    }
}
