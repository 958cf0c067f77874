/* Who earned from the tax gets it: after the latch, to the recorded addresses, whoever asks. */
#ifndef PAYOUT_H
#define PAYOUT_H
#include "exits.h"

enum { S_SALE, S_POSITION, S_REFERRAL, S_UPLINE };

typedef struct {
    u64 tag;
    u8 sale[32], trader[32];
    u64 shares[LEVELS];
} ReferralSettled;

/* One level's share into the Referral account of that upline and no other. */
OWN_FRAME u64 settle_level(const Call *call, const Referral *chain, u32 level, u64 share) {
    Referral *upline = (Referral *)call->account[S_UPLINE + level].data;
    TRY(check_ours(call, S_UPLINE + level, IS_REFERRAL, REFERRAL_SIZE));
    NEED(same(upline->user, chain->upline[level]), WRONG_ADDRESS);
    upline->pending += share;
    upline->earned += share;
    pay_out(call, S_SALE, S_UPLINE + level, share);
    return 0;
}

/* What a position's uplines earned, into their Referral accounts. */
OWN_FRAME u64 settle_referral(const Call *call, const u8 *at, u64 size) {
    const Account *a = call->account;
    ReferralSettled event = {.tag = TELL_REFERRAL_SETTLED};
    u64 total = 0;
    (void)at;
    NEED(size == 0, BAD_DATA);
    TRY(check_sale(call, S_SALE));
    TRY(check_position(call, S_POSITION, S_SALE));
    TRY(check_ours(call, S_REFERRAL, IS_REFERRAL, REFERRAL_SIZE));
    Sale *sale = sale_at(call, S_SALE);
    Position *position = (Position *)a[S_POSITION].data;
    const Referral *chain = (const Referral *)a[S_REFERRAL].data;
    NEED(same(chain->user, position->buyer), WRONG_ADDRESS);
    NEED(sale->latched, NOT_LATCHED);
    for (u32 level = 0; level < LEVELS; level++) {
        u64 share = position->earned[level];
        if (!share) continue;
        TRY(settle_level(call, chain, level, share));
        position->earned[level] = 0;
        event.shares[level] = share;
        total += share;
    }
    NEED(total, NOTHING_DUE);
    sale->referral_due -= total;
    sale->tax_held -= total;
    copy_key(event.sale, a[S_SALE].key);
    copy_key(event.trader, position->buyer);
    tell(call, &event, REFERRAL_SETTLED_EVENT_SIZE);
    return check_solvent(&a[S_SALE]);
}

typedef struct {
    u64 tag;
    u8 user[32];
    u64 lamports;
} ReferralClaimed;

/* By the user: everything settled so far. The account's rent stays. */
OWN_FRAME u64 claim_referral(const Call *call, const u8 *at, u64 size) {
    const Account *a = call->account;
    Referral *referral = (Referral *)a[1].data;
    ReferralClaimed event = {.tag = TELL_REFERRAL_CLAIMED};
    (void)at;
    NEED(size == 0, BAD_DATA);
    TRY(check_ours(call, 1, IS_REFERRAL, REFERRAL_SIZE));
    NEED(a[0].signer, NOT_SIGNER);
    NEED(same(referral->user, a[0].key), WRONG_ADDRESS);
    NEED(referral->pending, NOTHING_DUE);
    event.lamports = referral->pending;
    NEED(*a[1].lamports >= event.lamports, INSOLVENT); /* what an account must keep the runtime knows; rents change */
    copy_key(event.user, referral->user);
    referral->pending = 0;
    tell(call, &event, REFERRAL_CLAIMED_EVENT_SIZE);
    pay_out(call, 1, 0, event.lamports);
    return 0;
}

enum { D_SALE, D_MARKETING, D_TREASURY, D_REWARDS };

typedef struct {
    u64 tag;
    u8 sale[32];
    u64 marketing, treasury, rewards;
} Distributed;

/* Three quarters of the tax to the addresses the sale stored. The quarter to burn stays. */
OWN_FRAME u64 distribute(const Call *call, const u8 *at, u64 size) {
    const Account *a = call->account;
    Distributed event = {.tag = TELL_DISTRIBUTED};
    (void)at;
    NEED(size == 0, BAD_DATA);
    TRY(check_sale(call, D_SALE));
    Sale *sale = sale_at(call, D_SALE);
    NEED(same(a[D_MARKETING].key, sale->marketing) && same(a[D_TREASURY].key, sale->treasury), WRONG_ADDRESS);
    NEED(same(a[D_REWARDS].key, sale->rewards), WRONG_ADDRESS);
    NEED(sale->latched, NOT_LATCHED);
    event.marketing = sale->marketing_due;
    event.treasury = sale->treasury_due;
    event.rewards = sale->rewards_due;
    NEED(event.marketing | event.treasury | event.rewards, NOTHING_DUE);
    sale->tax_held -= event.marketing + event.treasury + event.rewards;
    sale->marketing_due = sale->treasury_due = sale->rewards_due = 0;
    copy_key(event.sale, a[D_SALE].key);
    tell(call, &event, DISTRIBUTED_EVENT_SIZE);
    pay_out(call, D_SALE, D_MARKETING, event.marketing);
    pay_out(call, D_SALE, D_TREASURY, event.treasury);
    pay_out(call, D_SALE, D_REWARDS, event.rewards);
    return check_solvent(&a[D_SALE]);
}

#endif
