/* A stranger's program, for tests: calls what it is told to, one call after the other, as deep as it is told to.
 * Data: how often it calls itself first; then of each call: the place of the program among the accounts, how many
 * accounts behind it are passed on, how many bytes, the bytes. */
#include "../../../programs/shared/entry.h"

#define BYTES_MOST 1024

OWN_FRAME u64 deeper(const Call *call) {
    u8 data[BYTES_MOST];
    Meta metas[ACCOUNTS_MOST];
    Instruction ix = {call->program, metas, call->count, data, call->size};
    if (call->size > BYTES_MOST) return 1;
    for (u64 i = 0; i < call->count; i++)
        metas[i] = (Meta){call->account[i].key, call->account[i].writable, call->account[i].signer};
    sol_memcpy_(data, call->data, call->size);
    data[0]--;
    return sol_invoke_signed_c(&ix, call->account, call->count, 0, 0);
}

OWN_FRAME u64 pass_on(const Call *call, const u8 *at) {
    Meta metas[ACCOUNTS_MOST];
    const Account *program = &call->account[at[0]], *account = program + 1;
    Instruction ix = {program->key, metas, at[1], at + 3, at[2]};
    for (u64 i = 0; i < at[1]; i++) metas[i] = (Meta){account[i].key, account[i].writable, account[i].signer};
    return sol_invoke_signed_c(&ix, call->account, call->count, 0, 0);
}

u64 entrypoint(const u8 *input) {
    Call call;
    if (!read_call(&call, input) || !call.size) return 1;
    if (call.data[0]) return deeper(&call);
    for (u64 at = 1; at < call.size; at += 3 + call.data[at + 2]) {
        u64 failed = pass_on(&call, call.data + at);
        if (failed) return failed;
    }
    return 0;
}
