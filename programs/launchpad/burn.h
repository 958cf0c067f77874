/* burn and burn_from_pool: the tax's quarter buys tokens and destroys them. The platform signs, for whoever may choose
 * the moment of a purchase can trade around it. reclaim destroys the supply of a sale that came to nothing. */
#ifndef BURN_H
#define BURN_H
#include "pooling.h"
#include "trade.h"

enum { U_PLATFORM, U_SALE, U_MINT, U_VAULT, U_TOKEN_PROGRAM };
enum { W_PLATFORM, W_SALE, W_MINT, W_VAULT, W_CREATOR, W_SOL, W_POOL_PROGRAM, W_CONFIG, W_AUTHORITY, W_POOL, W_POOL_SOL,
       W_POOL_TOKENS, W_OBSERVATION, W_SOL_MINT, W_TOKEN_PROGRAM, W_SPL_TOKEN, W_SYSTEM };
enum { X_SALE, X_MINT, X_VAULT, X_TOKEN_PROGRAM };

typedef struct {
    u64 tag;
    u8 sale[32];
    u64 lamports, tokens, sold, raised;
    i64 at;
    u8 from_pool, closed;
} Burned;

OWN_FRAME void tell_burned(const Call *call, Burned *event, u64 sale_index) {
    const Sale *sale = sale_at(call, sale_index);
    event->tag = TELL_BURNED;
    event->at = now();
    copy_key(event->sale, call->account[sale_index].key);
    event->sold = sale->sold;
    event->raised = sale->raised;
    event->closed = sale->status == CLOSED;
    tell(call, event, BURNED_EVENT_SIZE);
}

INLINE u64 check_platform(const Call *call, u64 platform, u64 sale_index) {
    TRY(check_sale(call, sale_index));
    NEED(call->account[platform].signer, NOT_SIGNER);
    return same(call->account[platform].key, sale_at(call, sale_index)->platform) ? 0 : WRONG_ADDRESS;
}

/* While the sale is open: along the curve, untaxed. The tokens count as sold and can never come back. */
OWN_FRAME u64 burn(const Call *call, const u8 *at, u64 size) {
    static const Route route = {U_VAULT, U_MINT, U_VAULT, U_SALE, U_TOKEN_PROGRAM};
    Burned event = {.from_pool = 0};
    u64 raised;
    NEED(size == 8, BAD_DATA);
    TRY(check_platform(call, U_PLATFORM, U_SALE));
    TRY(check_vault_of(call, U_SALE, U_MINT, U_VAULT, U_TOKEN_PROGRAM));
    Sale *sale = sale_at(call, U_SALE);
    TRY(check_open(sale, now()));
    NEED(sale->latched, NOT_LATCHED);
    u64 left = sale->most - sale->sold;
    event.tokens = read64(at) < left ? read64(at) : left;
    NEED(event.tokens, NOTHING_LEFT);
    Curve curve = curve_of(sale);
    NEED(reserve(&raised, &curve, sale->sold + event.tokens), OVERFLOW);
    event.lamports = raised - sale->raised;
    NEED(event.lamports <= sale->burn_due, TOO_DEAR);
    sale->burn_due -= event.lamports;
    sale->tax_held -= event.lamports;
    sale->raised = raised;
    sale->sold += event.tokens;
    sale->burned += event.tokens;
    if (sale->sold == sale->most) sale->status = CLOSED;
    TRY(burn_from_vault(call, sale, &route, event.tokens));
    tell_burned(call, &event, U_SALE);
    return check_solvent(&call->account[U_SALE]);
}

OWN_FRAME u64 check_pooled(const Call *call, Hands *hands) {
    const Account *a = call->account;
    TRY(check_platform(call, W_PLATFORM, W_SALE));
    TRY(check_vault_of(call, W_SALE, W_MINT, W_VAULT, W_TOKEN_PROGRAM));
    const Sale *sale = sale_at(call, W_SALE);
    NEED(sale->pooled_lamports, NOT_GRADUATED);
    NEED(same(a[W_POOL_PROGRAM].key, sale->pool_program) && same(a[W_CONFIG].key, sale->amm_config), WRONG_ADDRESS);
    NEED(same(a[W_SOL_MINT].key, WRAPPED_SOL), WRONG_ADDRESS);
    TRY(take_hand(hands, HAND_CREATOR, call, W_CREATOR, W_SALE));
    TRY(take_hand(hands, HAND_POOL, call, W_POOL, W_SALE));
    NEED(same(a[W_SOL].owner, TOKEN_PROGRAM) && a[W_SOL].size == TOKEN_ACCOUNT_SIZE, WRONG_OWNER);
    return same(a[W_SOL].data + TOKEN_OWNER_AT, a[W_CREATOR].key) ? 0 : WRONG_ADDRESS;
}

/* The pool program's swap_base_input, from our wrapped SOL into the vault. */
OWN_FRAME u64 swap_into_vault(const Call *call, u64 lamports, u64 least, const Signers *creator) {
    const Account *a = call->account;
    u64 data[3] = {DO_SWAP_BASE_INPUT, lamports, least};
    Meta metas[13] = {
        {a[W_CREATOR].key, 0, 1},     {a[W_AUTHORITY].key, 0, 0},   {a[W_CONFIG].key, 0, 0},
        {a[W_POOL].key, 1, 0},        {a[W_SOL].key, 1, 0},         {a[W_VAULT].key, 1, 0},
        {a[W_POOL_SOL].key, 1, 0},    {a[W_POOL_TOKENS].key, 1, 0}, {a[W_SPL_TOKEN].key, 0, 0},
        {a[W_TOKEN_PROGRAM].key, 0, 0}, {a[W_SOL_MINT].key, 0, 0},  {a[W_MINT].key, 0, 0},
        {a[W_OBSERVATION].key, 1, 0}};
    Instruction ix = {a[W_POOL_PROGRAM].key, metas, 13, (const u8 *)data, sizeof data};
    return invoke(call, &ix, creator);
}

/* After graduation: from the pool; what the vault gained is burned. */
OWN_FRAME u64 burn_from_pool(const Call *call, const u8 *at, u64 size) {
    static const Route sol = {W_SALE, W_SOL_MINT, W_SOL, W_CREATOR, W_SPL_TOKEN};
    static const Route route = {W_VAULT, W_MINT, W_VAULT, W_SALE, W_TOKEN_PROGRAM};
    const Account *a = call->account;
    Burned event = {.from_pool = 1};
    Hands hands;
    NEED(size == 16, BAD_DATA);
    TRY(check_pooled(call, &hands));
    Sale *sale = sale_at(call, W_SALE);
    Signers creator = {hands.signer, 1};
    event.lamports = read64(at);
    NEED(event.lamports, NOTHING_DUE);
    NEED(event.lamports <= sale->burn_due, TOO_DEAR);
    sale->burn_due -= event.lamports;
    sale->tax_held -= event.lamports;
    TRY(wrap(call, &sol, event.lamports, &creator));
    u64 wrapped = token_amount(&a[W_SOL]), before = token_amount(&a[W_VAULT]);
    TRY(swap_into_vault(call, event.lamports, read64(at + 8), &creator));
    NEED(wrapped - token_amount(&a[W_SOL]) == event.lamports, WRONG_POOL);
    event.tokens = token_amount(&a[W_VAULT]) - before;
    NEED(event.tokens >= read64(at + 8), TOO_CHEAP);
    sale->burned += event.tokens;
    TRY(burn_from_vault(call, sale, &route, event.tokens));
    tell_burned(call, &event, W_SALE);
    return check_solvent(&a[W_SALE]);
}

typedef struct {
    u64 tag;
    u8 sale[32];
    u64 tokens;
} Reclaimed;

/* Cancelled, or ended without the latch: the supply, which never left the vault, is destroyed. Refunds stay due. */
OWN_FRAME u64 reclaim(const Call *call, const u8 *at, u64 size) {
    static const Route route = {X_VAULT, X_MINT, X_VAULT, X_SALE, X_TOKEN_PROGRAM};
    Reclaimed event = {.tag = TELL_RECLAIMED};
    (void)at;
    NEED(size == 0, BAD_DATA);
    TRY(check_sale(call, X_SALE));
    TRY(check_vault_of(call, X_SALE, X_MINT, X_VAULT, X_TOKEN_PROGRAM));
    Sale *sale = sale_at(call, X_SALE);
    NEED(!sale->latched, LATCHED);
    NEED(sale->status == CANCELLED || now() >= sale->ends_at, NOT_ENDED);
    NEED(!sale->reclaimed, NOTHING_DUE);
    sale->reclaimed = 1;
    event.tokens = sale->sale_supply + sale->liquidity_supply + sale->team_supply + sale->other_supply;
    TRY(burn_from_vault(call, sale, &route, event.tokens));
    copy_key(event.sale, call->account[X_SALE].key);
    tell(call, &event, RECLAIMED_EVENT_SIZE);
    return 0;
}

#endif
