/* Calls into the System and token programs, and lamports out of our own accounts. */
#ifndef INVOKE_H
#define INVOKE_H
#include "state.h"

#define TOKEN_ACCOUNT_SIZE 165
#define TOKEN_AMOUNT_AT 64
#define TOKEN_OWNER_AT 32
#define TRANSFER_CHECKED 12
#define SYSTEM_ASSIGN 1
#define SYSTEM_TRANSFER 2
#define SYSTEM_ALLOCATE 8

/* Lamports from a signer. */
OWN_FRAME u64 pay_in(const Call *call, u64 from, u64 to, u64 lamports) {
    u8 data[12] = {SYSTEM_TRANSFER};
    Meta metas[2] = {{call->account[from].key, 1, 1}, {call->account[to].key, 1, 0}};
    Instruction ix = {SYSTEM_PROGRAM, metas, 2, data, sizeof data};
    sol_memcpy_(data + 4, &lamports, 8);
    return sol_invoke_signed_c(&ix, call->account, call->count, 0, 0);
}

/* Lamports out of an account of ours. After every call into another program, or the runtime sees money vanish. */
INLINE void pay_out(const Call *call, u64 from, u64 to, u64 lamports) {
    *call->account[from].lamports -= lamports;
    *call->account[to].lamports += lamports;
}

OWN_FRAME u64 minimum_balance(u64 size) {
    u64 rent[3];
    sol_get_rent_sysvar(rent); /* lamports per byte and year; two years are for ever; 128 bytes of account beside the data */
    return (128 + size) * rent[0] * 2;
}

/* Makes a derived account. Works though somebody sent lamports to its address before, which create_account would not. */
OWN_FRAME u64 open_account(const Call *call, u64 payer, u64 index, u64 size, const Signer *signer) {
    const Account *a = &call->account[index];
    u64 least = minimum_balance(size);
    u8 data[36] = {SYSTEM_ALLOCATE};
    Meta meta = {a->key, 1, 1};
    Instruction ix = {SYSTEM_PROGRAM, &meta, 1, data, 12};
    NEED(same(a->owner, SYSTEM_PROGRAM) && a->size == 0, WRONG_OWNER);
    if (*a->lamports < least) TRY(pay_in(call, payer, index, least - *a->lamports));
    sol_memcpy_(data + 4, &size, 8);
    TRY(sol_invoke_signed_c(&ix, call->account, call->count, signer, 1));
    data[0] = SYSTEM_ASSIGN;
    sol_memcpy_(data + 4, call->program, 32);
    ix.data_size = 36;
    return sol_invoke_signed_c(&ix, call->account, call->count, signer, 1);
}

/* Whether an address is where the seeds lead; the bump is found, never believed. */
OWN_FRAME u64 check_derived(const Call *call, u64 index, const Bytes *seeds, u64 count, u8 *bump) {
    u8 address[32];
    NEED(!sol_try_find_program_address(seeds, count, call->program, address, bump), WRONG_ADDRESS);
    return same(address, call->account[index].key) ? 0 : WRONG_ADDRESS;
}

INLINE u64 token_amount(const Account *a) { return read64(a->data + TOKEN_AMOUNT_AT); }

typedef struct {
    u64 from, mint, to, authority, program; /* indices */
} Route;

OWN_FRAME u64 move_tokens(const Call *call, const Route *route, u64 amount, u8 decimals, const Signer *signer) {
    const Account *a = call->account;
    u8 data[10] = {TRANSFER_CHECKED};
    Meta metas[4] = {
        {a[route->from].key, 1, 0}, {a[route->mint].key, 0, 0}, {a[route->to].key, 1, 0}, {a[route->authority].key, 0, 1}};
    Instruction ix = {a[route->program].key, metas, 4, data, sizeof data};
    sol_memcpy_(data + 1, &amount, 8);
    data[9] = decimals;
    return sol_invoke_signed_c(&ix, a, call->count, signer, signer ? 1 : 0);
}

/* Out of the vault, signed by the sale; the vault must lose exactly that. */
OWN_FRAME u64 from_vault(const Call *call, const Sale *sale, const Route *route, u64 amount) {
    u64 before = token_amount(&call->account[route->from]);
    Bytes seeds[5] = {{(const u8 *)"sale", 4}, {sale->mint, 32}, {sale->creator, 32}, {sale->platform, 32}, {&sale->bump, 1}};
    Signer signer = {seeds, 5};
    NEED(!same(call->account[route->to].key, sale->vault), SAME_ACCOUNT);
    TRY(move_tokens(call, route, amount, sale->decimals, &signer));
    return before - token_amount(&call->account[route->from]) == amount ? 0 : NOT_MEASURED;
}

#endif
