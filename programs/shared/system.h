/* Lamports and new accounts: calls into the System program. */
#ifndef SYSTEM_H
#define SYSTEM_H
#include "checks.h"

#define SYSTEM_ASSIGN 1
#define SYSTEM_TRANSFER 2
#define SYSTEM_ALLOCATE 8

/* Derived addresses that sign a call. */
typedef struct {
    const Signer *at;
    u64 count;
} Signers;
static const Signers NOBODY = {0, 0};

OWN_FRAME u64 invoke(const Call *call, const Instruction *ix, const Signers *by) {
    return sol_invoke_signed_c(ix, call->account, call->count, by->at, by->count);
}

/* Lamports from a signer. */
OWN_FRAME u64 pay_in(const Call *call, u64 from, u64 to, u64 lamports, const Signers *by) {
    u8 data[12] = {SYSTEM_TRANSFER};
    Meta metas[2] = {{call->account[from].key, 1, 1}, {call->account[to].key, 1, 0}};
    Instruction ix = {SYSTEM_PROGRAM, metas, 2, data, sizeof data};
    sol_memcpy_(data + 4, &lamports, 8);
    return invoke(call, &ix, by);
}

/* Lamports out of an account of ours. A later call into another program must name both accounts, or the runtime sees
 * money vanish: so this comes last, or publish_lamports follows. */
INLINE void pay_out(const Call *call, u64 from, u64 to, u64 lamports) {
    *call->account[from].lamports -= lamports;
    *call->account[to].lamports += lamports;
}

/* Tells the runtime what pay_out moved, by a transfer of nothing from `signer` to itself that names both accounts. */
OWN_FRAME u64 publish_lamports(const Call *call, u64 from, u64 to, u64 signer, const Signers *by) {
    const u8 *key = call->account[signer].key;
    u8 data[12] = {SYSTEM_TRANSFER};
    Meta metas[4] = {{key, 1, 1}, {key, 1, 0}, {call->account[from].key, 1, 0}, {call->account[to].key, 1, 0}};
    Instruction ix = {SYSTEM_PROGRAM, metas, 4, data, sizeof data};
    return invoke(call, &ix, by);
}

#define ONE_AS_DOUBLE 0x3FF0000000000000ULL

/* The rent says lamports per byte and a factor for ever: 2 (years), 1 since SIMD-0194. 128: the account beside its data. */
OWN_FRAME u64 minimum_balance(u64 size) {
    u64 rent[3];
    sol_get_rent_sysvar(rent);
    return (128 + size) * rent[0] * (rent[1] == ONE_AS_DOUBLE ? 1 : 2);
}

typedef struct {
    u64 payer, index, size;
    const u8 *owner;
} Opening;

/* Makes a derived account. Works though somebody sent lamports to its address before, which create_account would not. */
OWN_FRAME u64 open_account(const Call *call, const Opening *o, const Signers *by) {
    const Account *a = &call->account[o->index];
    u64 least = minimum_balance(o->size);
    u8 data[36] = {SYSTEM_ALLOCATE};
    Meta meta = {a->key, 1, 1};
    Instruction ix = {SYSTEM_PROGRAM, &meta, 1, data, 12};
    NEED(same(a->owner, SYSTEM_PROGRAM) && a->size == 0, WRONG_OWNER);
    if (*a->lamports < least) TRY(pay_in(call, o->payer, o->index, least - *a->lamports, by));
    sol_memcpy_(data + 4, &o->size, 8);
    TRY(invoke(call, &ix, by));
    data[0] = SYSTEM_ASSIGN;
    sol_memcpy_(data + 4, o->owner, 32);
    ix.data_size = 36;
    return invoke(call, &ix, by);
}

#endif
