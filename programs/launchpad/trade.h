/* buy and sell: exact tokens, a limit on lamports with the tax in it. */
#ifndef TRADE_H
#define TRADE_H
#include "tax.h"
#include "vault.h"

enum { T_TRADER, T_SALE, T_MINT, T_VAULT, T_POSITION, T_REFERRAL, T_TOKENS, T_TOKEN_PROGRAM, T_SYSTEM };

typedef struct {
    u64 tag;
    u8 sale[32], trader[32];
    u64 tokens, value, tax, referral, sold, raised;
    i64 at;
    u8 is_buy, latched, closed;
} Traded;

INLINE u64 check_open(const Sale *sale, i64 time) {
    NEED(sale->status == ACTIVE, NOT_ACTIVE);
    NEED(time >= sale->starts_at, NOT_STARTED);
    return time < sale->ends_at ? 0 : ENDED;
}

/* The sale, and that mint, vault and token program are the ones it stored. */
INLINE u64 check_market(const Call *call, i64 time) {
    const Account *a = call->account;
    TRY(check_sale(call, T_SALE));
    const Sale *sale = sale_at(call, T_SALE);
    NEED(a[T_TRADER].signer, NOT_SIGNER);
    TRY(check_vault_of(call, T_SALE, T_MINT, T_VAULT, T_TOKEN_PROGRAM));
    return check_open(sale, time);
}

/* The trader's position, made when it is missing. */
OWN_FRAME u64 open_position(const Call *call) {
    const Account *a = call->account;
    Position *position = (Position *)a[T_POSITION].data;
    u8 bump;
    Bytes seeds[4] = {{(const u8 *)"position", 8}, {a[T_SALE].key, 32}, {a[T_TRADER].key, 32}, {&bump, 1}};
    Signer signer = {seeds, 4};
    Signers by = {&signer, 1};
    Opening opening = {T_TRADER, T_POSITION, POSITION_SIZE, call->program};
    if (same(a[T_POSITION].owner, call->program)) {
        TRY(check_ours(call, T_POSITION, IS_POSITION, POSITION_SIZE));
        NEED(same(position->sale, a[T_SALE].key) && same(position->buyer, a[T_TRADER].key), WRONG_ADDRESS);
        return 0;
    }
    TRY(check_derived(call, T_POSITION, seeds, 3, &bump));
    TRY(open_account(call, &opening, &by));
    position->tag = IS_POSITION;
    copy_key(position->sale, a[T_SALE].key);
    copy_key(position->buyer, a[T_TRADER].key);
    return 0;
}

/* The trader's uplines, 0 when there are none. The address is checked either way: nobody trades under another's chain. */
OWN_FRAME u64 find_chain(const Call *call, const Referral **chain) {
    const Account *a = &call->account[T_REFERRAL];
    const u8 *trader = call->account[T_TRADER].key;
    const Referral *referral = (const Referral *)a->data;
    Bytes seeds[2] = {{(const u8 *)"referral", 8}, {trader, 32}};
    u8 bump;
    *chain = 0;
    if (!same(a->owner, call->program)) return check_derived(call, T_REFERRAL, seeds, 2, &bump);
    NEED(a->size == REFERRAL_SIZE && referral->tag == IS_REFERRAL, WRONG_KIND);
    NEED(same(referral->user, trader), WRONG_ADDRESS);
    if (!is_zero(referral->upline[0])) *chain = referral;
    return 0;
}

/* Books the tax and tells of the trade; the last step of both. */
INLINE void book(const Call *call, Traded *event, const Referral *chain) {
    const Account *a = call->account;
    Sale *sale = sale_at(call, T_SALE);
    if (chain)
        event->referral = accrue_referral((Position *)a[T_POSITION].data, chain, part_of(event->tax, sale->referral_bps));
    accrue_tax(sale, event->tax, event->referral);
    event->tag = TELL_TRADED;
    copy_key(event->sale, a[T_SALE].key);
    copy_key(event->trader, a[T_TRADER].key);
    event->sold = sale->sold;
    event->raised = sale->raised;
    event->latched = sale->latched;
    event->closed = sale->status == CLOSED;
    tell(call, event, TRADED_EVENT_SIZE);
}

/* Before the latch the tokens stay in the vault, and what was paid stands in the position until then. */
OWN_FRAME u64 deliver(const Call *call, const Traded *event) {
    Sale *sale = sale_at(call, T_SALE);
    Position *position = (Position *)call->account[T_POSITION].data;
    static const Route route = {T_VAULT, T_MINT, T_TOKENS, T_SALE, T_TOKEN_PROGRAM};
    NEED(position->bought + event->tokens >= event->tokens, OVERFLOW);
    position->bought += event->tokens;
    NEED(!sale->max_wallet || position->bought <= sale->max_wallet, WALLET_LIMIT);
    if (sale->latched) return from_vault(call, sale, &route, event->tokens);
    position->tokens += event->tokens;
    position->paid += event->value;
    position->tax += event->tax;
    sale->held += event->tokens;
    return 0;
}

OWN_FRAME u64 buy(const Call *call, const u8 *at, u64 size) {
    Traded event = {.at = now(), .is_buy = 1};
    const Referral *chain;
    u64 raised, left;
    NEED(size == 16, BAD_DATA);
    TRY(check_market(call, event.at));
    TRY(find_chain(call, &chain));
    TRY(open_position(call));
    Sale *sale = sale_at(call, T_SALE);
    Curve curve = curve_of(sale);
    left = sale->most - sale->sold;
    event.tokens = read64(at) < left ? read64(at) : left;
    NEED(event.tokens, NOTHING_LEFT);
    NEED(reserve(&raised, &curve, sale->sold + event.tokens), OVERFLOW);
    event.value = raised - sale->raised;
    event.tax = tax_of(event.value, sale->tax_bps);
    NEED(event.value + event.tax <= read64(at + 8), TOO_DEAR);
    TRY(pay_in(call, T_TRADER, T_SALE, event.value + event.tax, &NOBODY));
    TRY(deliver(call, &event));
    sale->sold += event.tokens;
    sale->raised = raised;
    if (raised >= sale->soft_cap) sale->latched = 1;
    if (sale->sold == sale->most) sale->status = CLOSED;
    book(call, &event, chain);
    return check_solvent(&call->account[T_SALE]);
}

/* The vault's gain is what returned: on a mint with a fee that is less than was sent. */
OWN_FRAME u64 take_back(const Call *call, const Sale *sale, u64 amount, u64 *received) {
    static const Route route = {T_TOKENS, T_MINT, T_VAULT, T_TRADER, T_TOKEN_PROGRAM};
    const Account *vault = &call->account[T_VAULT];
    u64 before = token_amount(vault);
    NEED(!same(call->account[T_TOKENS].key, sale->vault), SAME_ACCOUNT);
    TRY(move_tokens(call, &route, amount, sale->decimals, &NOBODY));
    *received = token_amount(vault) - before;
    NEED(*received && *received <= amount && *received <= sale->sold - sale->held - sale->burned, NOT_MEASURED);
    return 0;
}

OWN_FRAME u64 sell(const Call *call, const u8 *at, u64 size) {
    Traded event = {.at = now()};
    const Referral *chain;
    u64 raised;
    NEED(size == 16, BAD_DATA);
    TRY(check_market(call, event.at));
    Sale *sale = sale_at(call, T_SALE);
    NEED(sale->latched, NOT_LATCHED);
    TRY(find_chain(call, &chain));
    if (chain) TRY(open_position(call));
    TRY(take_back(call, sale, read64(at), &event.tokens));
    Curve curve = curve_of(sale);
    NEED(reserve(&raised, &curve, sale->sold - event.tokens), OVERFLOW);
    event.value = sale->raised - raised;
    event.tax = tax_of(event.value, sale->tax_bps);
    NEED(event.value - event.tax >= read64(at + 8), TOO_CHEAP);
    sale->sold -= event.tokens;
    sale->raised = raised;
    book(call, &event, chain);
    pay_out(call, T_SALE, T_TRADER, event.value - event.tax);
    return check_solvent(&call->account[T_SALE]);
}

#endif
