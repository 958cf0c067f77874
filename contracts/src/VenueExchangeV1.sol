// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Says what Polymarket's exchanges said until 2026-04-28: asset ids instead of a side, asset 0 being the collateral.
contract VenueExchangeV1 {
    struct Fill {
        bytes32 orderHash;
        address maker;
        uint256 makerAssetId;
        uint256 takerAssetId;
        uint256 makerAmountFilled;
        uint256 takerAmountFilled;
        uint256 fee;
    }

    event OrderFilled(
        bytes32 indexed orderHash,
        address indexed maker,
        address indexed taker,
        uint256 makerAssetId,
        uint256 takerAssetId,
        uint256 makerAmountFilled,
        uint256 takerAmountFilled,
        uint256 fee
    );
    event OrdersMatched(
        bytes32 indexed takerOrderHash,
        address indexed takerOrderMaker,
        uint256 makerAssetId,
        uint256 takerAssetId,
        uint256 makerAmountFilled,
        uint256 takerAmountFilled
    );
    event FeeCharged(address indexed receiver, uint256 tokenId, uint256 amount);

    function matchOrders(Fill calldata takerOrder, Fill[] calldata makerOrders, address feeReceiver) external {
        for (uint256 i = 0; i < makerOrders.length; i++) {
            filled(makerOrders[i], takerOrder.maker, feeReceiver);
        }
        filled(takerOrder, address(this), feeReceiver);
        emit OrdersMatched(
            takerOrder.orderHash,
            takerOrder.maker,
            takerOrder.makerAssetId,
            takerOrder.takerAssetId,
            takerOrder.makerAmountFilled,
            takerOrder.takerAmountFilled
        );
    }

    function filled(Fill calldata order, address taker, address feeReceiver) private {
        if (order.fee > 0) {
            emit FeeCharged(feeReceiver, order.takerAssetId, order.fee);
        }
        emit OrderFilled(
            order.orderHash,
            order.maker,
            taker,
            order.makerAssetId,
            order.takerAssetId,
            order.makerAmountFilled,
            order.takerAmountFilled,
            order.fee
        );
    }
}
