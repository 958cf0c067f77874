/* claim, refund and close_position: the ways out of a position. Nobody signs; all can only serve the recorded buyer. */
#ifndef EXITS_H
#define EXITS_H
#include "vault.h"

enum { L_SALE, L_MINT, L_VAULT, L_POSITION, L_TOKENS, L_TOKEN_PROGRAM };
enum { R_SALE, R_POSITION, R_BUYER };

INLINE u64 check_position(const Call *call, u64 index, u64 sale) {
    TRY(check_ours(call, index, IS_POSITION, POSITION_SIZE));
    const Position *position = (const Position *)call->account[index].data;
    return same(position->sale, call->account[sale].key) ? 0 : WRONG_ADDRESS;
}

typedef struct {
    u64 tag;
    u8 sale[32], buyer[32];
    u64 tokens;
} Claimed;

/* After the latch: the position's tokens into an account of the buyer. Afterwards nothing can be refunded. */
OWN_FRAME u64 claim(const Call *call, const u8 *at, u64 size) {
    static const Route route = {L_VAULT, L_MINT, L_TOKENS, L_SALE, L_TOKEN_PROGRAM};
    const Account *a = call->account;
    Claimed event = {.tag = TELL_CLAIMED};
    (void)at;
    NEED(size == 0, BAD_DATA);
    TRY(check_sale(call, L_SALE));
    TRY(check_position(call, L_POSITION, L_SALE));
    Sale *sale = sale_at(call, L_SALE);
    Position *position = (Position *)a[L_POSITION].data;
    TRY(check_vault_of(call, L_SALE, L_MINT, L_VAULT, L_TOKEN_PROGRAM));
    TRY(check_receiver(&a[L_TOKENS], sale, position->buyer));
    NEED(sale->latched, NOT_LATCHED);
    NEED(position->tokens, NOTHING_DUE);
    event.tokens = position->tokens;
    sale->held -= position->tokens;
    position->tokens = position->paid = position->tax = 0;
    TRY(from_vault(call, sale, &route, event.tokens));
    copy_key(event.sale, a[L_SALE].key);
    copy_key(event.buyer, position->buyer);
    tell(call, &event, CLAIMED_EVENT_SIZE);
    return 0;
}

typedef struct {
    u64 tag;
    u8 sale[32], buyer[32];
    u64 tokens, lamports;
} Refunded;

INLINE u64 check_buyer(const Call *call, const Position *position) {
    NEED(same(call->account[R_BUYER].key, position->buyer), WRONG_ADDRESS);
    return call->account[R_BUYER].writable ? 0 : NOT_WRITABLE;
}

/* All lamports of an account of ours to `to`; empty, it is the System program's again and cannot be found any more. */
INLINE void close_into(const Call *call, u64 index, u64 to) {
    const Account *a = &call->account[index];
    pay_out(call, index, to, *a->lamports);
    sol_memset_(a->data, 0, a->size);
    sol_memset_((u8 *)a->owner, 0, 32);
    *(u64 *)(a->data - 8) = 0; /* its size, where the runtime reads it */
}

/* A sale that ended without reaching its soft cap: cost, tax and rent back. The closed position is the exactly-once. */
OWN_FRAME u64 refund(const Call *call, const u8 *at, u64 size) {
    const Account *a = call->account;
    Refunded event = {.tag = TELL_REFUNDED};
    (void)at;
    NEED(size == 0, BAD_DATA);
    TRY(check_sale(call, R_SALE));
    TRY(check_position(call, R_POSITION, R_SALE));
    Sale *sale = sale_at(call, R_SALE);
    const Position *position = (const Position *)a[R_POSITION].data;
    NEED(!sale->latched, LATCHED);
    NEED(now() >= sale->ends_at, NOT_ENDED);
    TRY(check_buyer(call, position));
    event.tokens = position->tokens;
    event.lamports = position->paid + position->tax;
    sale->sold -= position->tokens;
    sale->held -= position->tokens;
    sale->raised -= position->paid;
    sale->tax_held -= position->tax;
    copy_key(event.sale, a[R_SALE].key);
    copy_key(event.buyer, position->buyer);
    tell(call, &event, REFUNDED_EVENT_SIZE);
    pay_out(call, R_SALE, R_BUYER, event.lamports);
    close_into(call, R_POSITION, R_BUYER);
    return check_solvent(&a[R_SALE]);
}

typedef struct {
    u64 tag;
    u8 sale[32], buyer[32];
} PositionClosed;

/* The rent of an empty position back, when nothing more can be bought: until then it counts what the wallet bought. */
OWN_FRAME u64 close_position(const Call *call, const u8 *at, u64 size) {
    const Account *a = call->account;
    PositionClosed event = {.tag = TELL_POSITION_CLOSED};
    (void)at;
    NEED(size == 0, BAD_DATA);
    TRY(check_sale(call, R_SALE));
    TRY(check_position(call, R_POSITION, R_SALE));
    const Sale *sale = sale_at(call, R_SALE);
    const Position *position = (const Position *)a[R_POSITION].data;
    TRY(check_buyer(call, position));
    NEED(sale->status != ACTIVE || now() >= sale->ends_at, NOT_ENDED);
    NEED(!position->tokens, NOT_EMPTY);
    for (u32 level = 0; level < LEVELS; level++) NEED(!position->earned[level], NOT_EMPTY);
    copy_key(event.sale, a[R_SALE].key);
    copy_key(event.buyer, position->buyer);
    tell(call, &event, POSITION_CLOSED_EVENT_SIZE);
    close_into(call, R_POSITION, R_BUYER);
    return 0;
}

#endif
