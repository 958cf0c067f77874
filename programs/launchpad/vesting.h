/* claim_vested and release_other: what a graduated sale keeps for its other_owner, the team. By anybody, to no other. */
#ifndef VESTING_H
#define VESTING_H
#include "transfer_fee.h"
#include "vault.h"

#define SLICE_LEAST 100 /* base units */

enum { V_SALE, V_VESTING, V_MINT, V_VAULT, V_BENEFICIARY, V_TOKENS, V_TOKEN_PROGRAM };
enum { O_SALE, O_MINT, O_VAULT, O_TOKENS, O_TOKEN_PROGRAM };

/* Nothing until the cliff, then in proportion to the time from there to the end, rounded down; as vesting.py. */
INLINE u64 vested(const Vesting *v, u64 whole, i64 time) {
    u64 elapsed = time > v->starts_at ? (u64)(time - v->starts_at) : 0, rest;
    if (elapsed >= v->vest_seconds) return whole;
    if (elapsed <= v->cliff_seconds) return 0;
    u128 product = mul64(whole, elapsed - v->cliff_seconds);
    return div128(product.hi, product.lo, v->vest_seconds - v->cliff_seconds, &rest);
}

/* Tokens to pay now. A mint's fee is rounded up in every transfer: not in slices so small that it takes more than its
 * rate, for anybody may send this. A hundredth of all and a hundred base units at least, or the last. */
OWN_FRAME u64 slice_of(const Vesting *v, const Account *mint, i64 time) {
    u64 by_now = vested(v, v->tokens, time), slice = by_now - v->claimed_tokens, least = v->tokens / 100;
    Fee fee;
    read_fee(&fee, mint);
    if (least < SLICE_LEAST) least = SLICE_LEAST;
    return fee.bps && by_now < v->tokens && slice < least ? 0 : slice;
}

typedef struct {
    u64 tag;
    u8 sale[32], beneficiary[32];
    u64 lamports, tokens;
} VestedClaimed;

OWN_FRAME u64 check_vesting(const Call *call) {
    const Account *a = call->account;
    TRY(check_sale(call, V_SALE));
    TRY(check_ours(call, V_VESTING, IS_VESTING, VESTING_SIZE));
    const Vesting *vesting = (const Vesting *)a[V_VESTING].data;
    NEED(same(vesting->sale, a[V_SALE].key), WRONG_ADDRESS);
    NEED(same(vesting->beneficiary, a[V_BENEFICIARY].key), WRONG_ADDRESS);
    NEED(a[V_BENEFICIARY].writable, NOT_WRITABLE);
    return check_vault_of(call, V_SALE, V_MINT, V_VAULT, V_TOKEN_PROGRAM);
}

OWN_FRAME u64 claim_vested(const Call *call, const u8 *at, u64 size) {
    static const Route route = {V_VAULT, V_MINT, V_TOKENS, V_SALE, V_TOKEN_PROGRAM};
    const Account *a = call->account;
    VestedClaimed event = {.tag = TELL_VESTED_CLAIMED};
    i64 time = now();
    (void)at;
    NEED(size == 0, BAD_DATA);
    TRY(check_vesting(call));
    const Sale *sale = sale_at(call, V_SALE);
    Vesting *vesting = (Vesting *)a[V_VESTING].data;
    event.lamports = vested(vesting, vesting->lamports, time) - vesting->claimed_lamports;
    event.tokens = slice_of(vesting, &a[V_MINT], time);
    NEED(event.lamports | event.tokens, NOTHING_DUE);
    vesting->claimed_lamports += event.lamports;
    vesting->claimed_tokens += event.tokens;
    if (event.tokens) {
        TRY(check_receiver(&a[V_TOKENS], sale, vesting->beneficiary));
        TRY(from_vault(call, sale, &route, event.tokens));
    }
    copy_key(event.sale, a[V_SALE].key);
    copy_key(event.beneficiary, vesting->beneficiary);
    tell(call, &event, VESTED_CLAIMED_EVENT_SIZE);
    pay_out(call, V_VESTING, V_BENEFICIARY, event.lamports);
    u64 left = vesting->lamports - vesting->claimed_lamports;
    return *a[V_VESTING].lamports >= left ? 0 : INSOLVENT;
}

typedef struct {
    u64 tag;
    u8 sale[32], owner[32];
    u64 tokens;
} OtherReleased;

/* Ecosystem and reserve, whole, once. */
OWN_FRAME u64 release_other(const Call *call, const u8 *at, u64 size) {
    static const Route route = {O_VAULT, O_MINT, O_TOKENS, O_SALE, O_TOKEN_PROGRAM};
    const Account *a = call->account;
    OtherReleased event = {.tag = TELL_OTHER_RELEASED};
    (void)at;
    NEED(size == 0, BAD_DATA);
    TRY(check_sale(call, O_SALE));
    TRY(check_vault_of(call, O_SALE, O_MINT, O_VAULT, O_TOKEN_PROGRAM));
    Sale *sale = sale_at(call, O_SALE);
    NEED(sale->status == GRADUATED, NOT_GRADUATED);
    NEED(sale->other_due, NOTHING_DUE);
    TRY(check_receiver(&a[O_TOKENS], sale, sale->other_owner));
    event.tokens = sale->other_due;
    sale->other_due = 0;
    TRY(from_vault(call, sale, &route, event.tokens));
    copy_key(event.sale, a[O_SALE].key);
    copy_key(event.owner, sale->other_owner);
    tell(call, &event, OTHER_RELEASED_EVENT_SIZE);
    return 0;
}

#endif
