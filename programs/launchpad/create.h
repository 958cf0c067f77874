/* create_sale and cancel_sale. */
#ifndef CREATE_H
#define CREATE_H
#include "graduation.h"
#include "mint.h"

#define HARD_CAP_MOST 100000000000000000ULL /* a hundred million SOL */
#define TAX_BPS_MOST 500
#define TEAM_PERCENT_MOST 20
#define LONGEST_SECONDS (366LL * 86400)
#define VEST_LONGEST (3660ULL * 86400)
#define AMM_CONFIG_CLOSED_AT 9 /* "no new pools" */

enum { C_CREATOR, C_PLATFORM, C_PAYER, C_SALE, C_MINT, C_VAULT, C_TOKEN_PROGRAM, C_SYSTEM, C_MARKETING, C_TREASURY,
       C_REWARDS, C_OTHER_OWNER, C_POOL_PROGRAM, C_AMM_CONFIG };

/* The sum of the allocations, or 0 when it does not fit. */
INLINE u64 supply_of(const Terms *t) {
    u64 parts[4] = {t->sale_supply, t->liquidity_supply, t->team_supply, t->other_supply}, sum = 0;
    for (u32 i = 0; i < 4; i++) {
        if (sum + parts[i] < sum) return 0;
        sum += parts[i];
    }
    return sum;
}

OWN_FRAME u64 check_terms(const Terms *t, i64 time) {
    u64 supply = supply_of(t);
    NEED(supply && t->team_supply <= supply / 100 * TEAM_PERCENT_MOST, BAD_TERMS);
    NEED(t->soft_cap > 0 && t->soft_cap <= t->hard_cap && t->hard_cap <= HARD_CAP_MOST, BAD_TERMS);
    NEED(t->starts_at > 0 && t->starts_at < t->ends_at && t->ends_at > time, BAD_TERMS);
    NEED(t->ends_at - time <= LONGEST_SECONDS, BAD_TERMS);
    NEED(t->cliff_seconds <= t->vest_seconds && t->vest_seconds <= VEST_LONGEST, BAD_TERMS);
    NEED(t->tax_bps <= TAX_BPS_MOST && t->referral_bps <= BPS, BAD_TERMS);
    return 0;
}

/* Q is the most with C(Q) ≤ hard cap, and reaches the soft cap. */
OWN_FRAME u64 check_most(const Terms *t, const Fee *fee) {
    Plan plan;
    Curve curve = {t->start_price, t->target_price, t->sale_supply, t->shape, t->decimals};
    u64 raised, beyond;
    NEED(curve_allowed(&curve), BAD_CURVE);
    NEED(t->most > 0 && reserve(&raised, &curve, t->most) && raised <= t->hard_cap, WRONG_MOST);
    if (t->most < t->sale_supply)
        NEED(!reserve(&beyond, &curve, t->most + 1) || beyond > t->hard_cap, WRONG_MOST);
    NEED(raised >= t->soft_cap, BAD_TERMS);
    Reached end = {t->most, raised, t->liquidity_supply + t->sale_supply - t->most};
    plan_pool(&plan, &curve, &end, fee);
    return plan.sent > end.available ? CANNOT_GRADUATE : 0;
}

/* A pool program of the list, and a configuration of it that makes new pools. */
OWN_FRAME u64 check_pool(const Account *program, const Account *config) {
    const u8 *key = program->key;
    NEED(same(key, POOL_ON_MAINNET) || same(key, POOL_ON_DEVNET) || same(key, POOL_ON_LOCALNET), BAD_POOL);
    NEED(program->executable && same(config->owner, key), BAD_POOL);
    NEED(config->size > AMM_CONFIG_CLOSED_AT && read64(config->data) == IS_AMM_CONFIG, BAD_POOL);
    return config->data[AMM_CONFIG_CLOSED_AT] ? BAD_POOL : 0;
}

INLINE u64 check_recipients(const Account *a) {
    for (u32 i = C_MARKETING; i <= C_OTHER_OWNER; i++) NEED(!is_zero(a[i].key), BAD_TERMS);
    return 0;
}

typedef struct {
    u64 tag;
    u8 sale[32], mint[32], creator[32];
    u64 most;
    i64 at;
} SaleCreated;

INLINE void fill_sale(Sale *sale, const Account *a, const Terms *t, u8 bump) {
    sale->tag = IS_SALE;
    copy_key(sale->mint, a[C_MINT].key);
    copy_key(sale->vault, a[C_VAULT].key);
    copy_key(sale->creator, a[C_CREATOR].key);
    copy_key(sale->platform, a[C_PLATFORM].key);
    copy_key(sale->token_program, a[C_TOKEN_PROGRAM].key);
    copy_key(sale->marketing, a[C_MARKETING].key);
    copy_key(sale->treasury, a[C_TREASURY].key);
    copy_key(sale->rewards, a[C_REWARDS].key);
    copy_key(sale->other_owner, a[C_OTHER_OWNER].key);
    copy_key(sale->pool_program, a[C_POOL_PROGRAM].key);
    copy_key(sale->amm_config, a[C_AMM_CONFIG].key);
    sol_memcpy_(&sale->start_price, t, TERMS_SIZE);
    sale->bump = bump;
    sale->rent = minimum_balance(SALE_SIZE);
}

/* The address commits to mint, creator and platform, and the vault to the address: nobody can sell another's supply. */
OWN_FRAME u64 create_sale(const Call *call, const u8 *at, u64 size) {
    const Account *a = call->account;
    Terms t;
    SaleCreated event = {.tag = TELL_SALE_CREATED, .at = now()};
    u8 bump;
    Bytes seeds[5] = {
        {(const u8 *)"sale", 4}, {a[C_MINT].key, 32}, {a[C_CREATOR].key, 32}, {a[C_PLATFORM].key, 32}, {&bump, 1}};
    Signer signer = {seeds, 5};
    Signers by = {&signer, 1};
    Opening opening = {C_PAYER, C_SALE, SALE_SIZE, call->program};
    Fee fee;
    NEED(size == TERMS_SIZE, BAD_DATA);
    NEED(a[C_CREATOR].signer && a[C_PLATFORM].signer && a[C_PAYER].signer, NOT_SIGNER);
    sol_memcpy_(&t, at, TERMS_SIZE);
    TRY(check_derived(call, C_SALE, seeds, 4, &bump));
    TRY(check_recipients(a));
    TRY(check_pool(&a[C_POOL_PROGRAM], &a[C_AMM_CONFIG]));
    TRY(check_terms(&t, event.at));
    TRY(check_mint(&a[C_MINT], a[C_TOKEN_PROGRAM].key, a[C_SALE].key, supply_of(&t), t.decimals));
    TRY(check_vault(&a[C_VAULT], &a[C_MINT], a[C_SALE].key, supply_of(&t)));
    read_fee(&fee, &a[C_MINT]);
    TRY(check_most(&t, &fee));
    TRY(open_account(call, &opening, &by));
    fill_sale(sale_at(call, C_SALE), a, &t, bump);
    copy_key(event.sale, a[C_SALE].key);
    copy_key(event.mint, a[C_MINT].key);
    copy_key(event.creator, a[C_CREATOR].key);
    event.most = t.most;
    tell(call, &event, SALE_CREATED_EVENT_SIZE);
    return 0;
}

typedef struct {
    u64 tag;
    u8 sale[32];
    i64 at;
} SaleCancelled;

/* By the creator, while nothing was ever bought. */
OWN_FRAME u64 cancel_sale(const Call *call, const u8 *at, u64 size) {
    const Account *a = call->account;
    SaleCancelled event = {.tag = TELL_SALE_CANCELLED, .at = now()};
    Sale *sale = sale_at(call, 1);
    (void)at;
    NEED(size == 0, BAD_DATA);
    TRY(check_sale(call, 1));
    NEED(a[0].signer, NOT_SIGNER);
    NEED(same(a[0].key, sale->creator), WRONG_ADDRESS);
    NEED(sale->status == ACTIVE, NOT_ACTIVE);
    NEED(!sale->sold && !sale->latched && !sale->tax_total, ALREADY_SOLD);
    sale->status = CANCELLED;
    copy_key(event.sale, a[1].key);
    tell(call, &event, SALE_CANCELLED_EVENT_SIZE);
    return 0;
}

#endif
