/* The launch program: a token's sale along a curve, its tax, referral and refunds. One file for the compiler.
 * docs/concepts/sale_program.md tells what it promises; idl.json is its interface. */
#include "burn.h"
#include "create.h"
#include "exits.h"
#include "graduate.h"
#include "harvest.h"
#include "payout.h"
#include "referral.h"
#include "trade.h"
#include "vesting.h"
#include "view.h"

/* The last one is this program, which every instruction calls to tell of what it did. */
OWN_FRAME u64 check_accounts(const Call *call, u64 count) {
    NEED(call->count == count, BAD_ACCOUNTS);
    return same(call->account[count - 1].key, call->program) ? 0 : WRONG_ADDRESS;
}

#define ROUTE(name, NAME)                        \
    case DO_##NAME:                              \
        TRY(check_accounts(&call, NAME##_ACCOUNTS)); \
        return name(&call, call.data + 8, call.size - 8)

u64 entrypoint(const u8 *input) {
    Call call;
    if (!read_call(&call, input)) return BAD_ACCOUNTS;
    if (call.size < 8) return BAD_DATA;
    switch (read64(call.data)) {
        ROUTE(create_sale, CREATE_SALE);
        ROUTE(cancel_sale, CANCEL_SALE);
        ROUTE(buy, BUY);
        ROUTE(sell, SELL);
        ROUTE(claim, CLAIM);
        ROUTE(refund, REFUND);
        ROUTE(register_referral, REGISTER_REFERRAL);
        ROUTE(settle_referral, SETTLE_REFERRAL);
        ROUTE(claim_referral, CLAIM_REFERRAL);
        ROUTE(distribute, DISTRIBUTE);
        ROUTE(graduate, GRADUATE);
        ROUTE(claim_vested, CLAIM_VESTED);
        ROUTE(release_other, RELEASE_OTHER);
        ROUTE(reclaim, RECLAIM);
        ROUTE(close_position, CLOSE_POSITION);
        ROUTE(burn, BURN);
        ROUTE(burn_from_pool, BURN_FROM_POOL);
        ROUTE(harvest, HARVEST);
    case DO_VIEW_CURVE:
        NEED(call.count == VIEW_CURVE_ACCOUNTS, BAD_ACCOUNTS);
        return view_curve(&call, call.data + 8, call.size - 8);
    case EVENT:
        return call.count ? BAD_ACCOUNTS : 0;
    }
    return BAD_DATA;
}
