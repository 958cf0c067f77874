/* The accounts this program keeps: borsh and C agree because nothing needs padding (asserted against idl.json). */
#ifndef STATE_H
#define STATE_H
#include "interface.h"

#include "../shared/checks.h"
#include "curve.h"
#include "tell.h"

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
    u8 other_owner[32];                          /* the team: whose other_supply is, and what vests */
    u8 pool_program[32], amm_config[32];             /* where it graduates to */
    TERMS
    u8 status, latched, bump, reclaimed, reserved[6];
    u64 sold, raised; /* raised = C(sold) until refunds begin; 0 once graduated */
    u64 held;         /* bought, still in the vault */
    u64 tax_held;     /* the next five together: owed, and not to be paid before the latch */
    u64 marketing_due, treasury_due, burn_due, rewards_due, referral_due;
    u64 rent, tax_total;
    u64 burned;                         /* of the tokens sold: bought with the tax, and gone */
    u64 other_due;                      /* of other_supply, from graduation on */
    u64 pooled_lamports, pooled_tokens; /* what the pool received; 0: none was possible */
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

typedef struct {
    u64 tag;
    u8 sale[32], beneficiary[32];
    u64 lamports, tokens; /* in all; the lamports stand here, the tokens in the sale's vault */
    u64 claimed_lamports, claimed_tokens;
    i64 starts_at;
    u64 cliff_seconds, vest_seconds;
} Vesting;
_Static_assert(sizeof(Vesting) == VESTING_SIZE, "Vesting is not what idl.json says");

INLINE u64 check_sale(const Call *call, u64 index) { return check_ours(call, index, IS_SALE, SALE_SIZE); }

INLINE Sale *sale_at(const Call *call, u64 index) { return (Sale *)call->account[index].data; }

INLINE Curve curve_of(const Sale *sale) {
    return (Curve){sale->start_price, sale->target_price, sale->sale_supply, sale->shape, sale->decimals};
}

/* The vault and what moves tokens out of it are the ones the sale stored. */
INLINE u64 check_vault_of(const Call *call, u64 sale_index, u64 mint, u64 vault, u64 program) {
    const Account *a = call->account;
    const Sale *sale = (const Sale *)a[sale_index].data;
    NEED(same(a[mint].key, sale->mint) && same(a[vault].key, sale->vault), WRONG_ADDRESS);
    return same(a[program].key, sale->token_program) ? 0 : WRONG_ADDRESS;
}

/* Balances are never believed, only required: what is there above this is nobody's. */
INLINE u64 check_solvent(const Account *account) {
    const Sale *sale = (const Sale *)account->data;
    return *account->lamports >= sale->rent + sale->raised + sale->tax_held ? 0 : INSOLVENT;
}

#endif
