/* The accounts this program keeps: borsh and C agree because nothing needs padding (asserted against idl.json). */
#ifndef STATE_H
#define STATE_H
#include "curve.h"
#include "entry.h"
#include "interface.h"
#include "known.h"

#define NEED(condition, code) \
    do {                      \
        if (!(condition)) return code; \
    } while (0)
#define TRY(call)                   \
    do {                            \
        u64 failed_ = (call);       \
        if (failed_) return failed_; \
    } while (0)

#define LEVELS 5
#define BPS 10000ULL

enum { ACTIVE, CLOSED, GRADUATED, CANCELLED };

/* What creation fixes for ever. Prices in 10^-9 lamport per token, caps in lamports, supplies in base units. */
#define TERMS                                                                   \
    u64 start_price, target_price;                                              \
    u64 sale_supply, liquidity_supply, team_supply, other_supply;               \
    u64 soft_cap, hard_cap, max_wallet;                                         \
    i64 starts_at, ends_at;                                                     \
    u64 cliff_seconds, vest_seconds;                                            \
    u64 most; /* base units that can be sold before C passes the hard cap */    \
    u16 tax_bps, referral_bps;                                                  \
    u8 shape, decimals;

typedef struct {
    TERMS
} Terms;

typedef struct {
    u64 tag;
    u8 mint[32], vault[32], creator[32], platform[32], token_program[32];
    u8 marketing[32], treasury[32], rewards[32]; /* who is paid the tax, and nobody else */
    TERMS
    u8 status, latched, bump, reserved[7];
    u64 sold, raised; /* raised = C(sold) until refunds begin */
    u64 held;         /* bought, still in the vault */
    u64 tax_held;     /* the next five together: owed, and not to be paid before the latch */
    u64 marketing_due, treasury_due, burn_due, rewards_due, referral_due;
    u64 rent, tax_total;
} Sale;
_Static_assert(sizeof(Sale) == SALE_SIZE, "Sale is not what idl.json says");

typedef struct {
    u64 tag;
    u8 sale[32], buyer[32];
    u64 tokens; /* bought before the latch, in the vault */
    u64 bought; /* in all, for the limit per wallet */
    u64 paid, tax;
    u64 earned[LEVELS]; /* by this trader's uplines, not settled */
} Position;
_Static_assert(sizeof(Position) == POSITION_SIZE, "Position is not what idl.json says");

typedef struct {
    u64 tag;
    u8 user[32], upline[LEVELS][32]; /* zeros: none */
    u64 pending, earned, direct;
} Referral;
_Static_assert(sizeof(Referral) == REFERRAL_SIZE, "Referral is not what idl.json says");

INLINE u8 same(const u8 *a, const u8 *b) {
    return read64(a) == read64(b) && read64(a + 8) == read64(b + 8) && read64(a + 16) == read64(b + 16) &&
           read64(a + 24) == read64(b + 24);
}

INLINE u8 is_zero(const u8 *key) { return same(key, SYSTEM_PROGRAM); }

INLINE void copy_key(u8 *to, const u8 *from) { sol_memcpy_(to, from, 32); }

/* An account of ours: owner, size and tag. Anybody else's bytes are refused here. */
OWN_FRAME u64 check_ours(const Call *call, u64 index, u64 tag, u64 size) {
    const Account *a = &call->account[index];
    NEED(same(a->owner, call->program), WRONG_OWNER);
    NEED(a->size == size && read64(a->data) == tag, WRONG_KIND);
    NEED(a->writable, NOT_WRITABLE);
    return 0;
}

INLINE u64 check_sale(const Call *call, u64 index) { return check_ours(call, index, IS_SALE, SALE_SIZE); }

INLINE Sale *sale_at(const Call *call, u64 index) { return (Sale *)call->account[index].data; }

/* Balances are never believed, only required: what is there above this is nobody's. */
INLINE u64 check_solvent(const Account *account) {
    const Sale *sale = (const Sale *)account->data;
    return *account->lamports >= sale->rent + sale->raised + sale->tax_held ? 0 : INSOLVENT;
}

INLINE i64 now(void) {
    u64 clock[5];
    sol_get_clock_sysvar(clock);
    return (i64)clock[4];
}

INLINE void tell(const void *event, u64 size) {
    Bytes part = {event, size};
    sol_log_data(&part, 1);
}

#endif
