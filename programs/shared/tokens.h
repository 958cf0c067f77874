/* Calls into the token programs (the classic one and Token-2022) and the one that makes associated accounts. */
#ifndef TOKENS_H
#define TOKENS_H
#include "system.h"

#define MINT_SIZE 82
#define TOKEN_ACCOUNT_SIZE 165
#define TOKEN_OWNER_AT 32
#define TOKEN_AMOUNT_AT 64

enum { TOKEN_MINT_TO = 7, TOKEN_BURN = 8, TOKEN_CLOSE = 9, TOKEN_TRANSFER_CHECKED = 12, TOKEN_SYNC_NATIVE = 17 };

INLINE u64 token_amount(const Account *a) { return read64(a->data + TOKEN_AMOUNT_AT); }

INLINE u8 is_token_program(const u8 *key) { return same(key, TOKEN_PROGRAM) || same(key, TOKEN_2022_PROGRAM); }

typedef struct {
    u64 from, mint, to, authority, program; /* indices */
} Route;

OWN_FRAME u64 move_tokens(const Call *call, const Route *route, u64 amount, u8 decimals, const Signers *by) {
    const Account *a = call->account;
    u8 data[10] = {TOKEN_TRANSFER_CHECKED};
    Meta metas[4] = {
        {a[route->from].key, 1, 0}, {a[route->mint].key, 0, 0}, {a[route->to].key, 1, 0}, {a[route->authority].key, 0, 1}};
    Instruction ix = {a[route->program].key, metas, 4, data, sizeof data};
    sol_memcpy_(data + 1, &amount, 8);
    data[9] = decimals;
    return invoke(call, &ix, by);
}

/* TOKEN_BURN: `from` and the supply lose `amount`. TOKEN_MINT_TO: the supply and `to` gain it. */
OWN_FRAME u64 change_supply(const Call *call, u8 what, const Route *route, u64 amount, const Signers *by) {
    const Account *a = call->account;
    u8 data[9] = {what};
    Meta mint = {a[route->mint].key, 1, 0}, held = {a[what == TOKEN_BURN ? route->from : route->to].key, 1, 0};
    Meta metas[3] = {what == TOKEN_BURN ? held : mint, what == TOKEN_BURN ? mint : held, {a[route->authority].key, 0, 1}};
    Instruction ix = {a[route->program].key, metas, 3, data, sizeof data};
    sol_memcpy_(data + 1, &amount, 8);
    return invoke(call, &ix, by);
}

/* Lamports that arrived in an account of wrapped SOL become its tokens. */
OWN_FRAME u64 sync_wrapped(const Call *call, u64 index) {
    u8 data = TOKEN_SYNC_NATIVE;
    Meta meta = {call->account[index].key, 1, 0};
    Instruction ix = {TOKEN_PROGRAM, &meta, 1, &data, 1};
    return invoke(call, &ix, &NOBODY);
}

/* Closes the empty token account `from`; its lamports go to `to`. */
OWN_FRAME u64 close_tokens(const Call *call, const Route *route, const Signers *by) {
    const Account *a = call->account;
    u8 data = TOKEN_CLOSE;
    Meta metas[3] = {{a[route->from].key, 1, 0}, {a[route->to].key, 1, 0}, {a[route->authority].key, 0, 1}};
    Instruction ix = {a[route->program].key, metas, 3, &data, 1};
    return invoke(call, &ix, by);
}

/* `to` is made for `authority`, who pays. `again`: it may be there already. The address is checked by the program called. */
OWN_FRAME u64 open_associated(const Call *call, const Route *route, u8 again, const Signers *by) {
    const Account *a = call->account;
    Meta metas[6] = {{a[route->authority].key, 1, 1}, {a[route->to].key, 1, 0}, {a[route->authority].key, 0, 0},
                     {a[route->mint].key, 0, 0},      {SYSTEM_PROGRAM, 0, 0},   {a[route->program].key, 0, 0}};
    Instruction ix = {ASSOCIATED_PROGRAM, metas, 6, &again, 1};
    return invoke(call, &ix, by);
}

#endif
