/* What a call is: the accounts, the data behind the eight bytes that name the instruction, and the program's address. */
#ifndef ENTRY_H
#define ENTRY_H
#include "solana.h"
#include "wide.h"

typedef struct {
    Account account[ACCOUNTS_MOST];
    u64 count;
    const u8 *data;
    u64 size;
    const u8 *program;
} Call;

INLINE u64 read64(const u8 *at) { return *(const u64 *)at; }

/* 0 when there are more accounts than any instruction takes. A repeated account refers to the first. */
OWN_FRAME u8 read_call(Call *call, const u8 *at) {
    call->count = read64(at);
    at += 8;
    if (call->count > ACCOUNTS_MOST) return 0;
    for (u64 i = 0; i < call->count; i++) {
        Account *a = &call->account[i];
        if (*at != 0xff) {
            sol_memcpy_(a, &call->account[*at], sizeof *a);
            at += 8;
            continue;
        }
        a->signer = at[1];
        a->writable = at[2];
        a->executable = at[3];
        a->key = at + 8;
        a->owner = at + 40;
        a->lamports = (u64 *)(at + 72);
        a->size = read64(at + 80);
        a->data = (u8 *)at + 88;
        at = (const u8 *)(((u64)at + 88 + a->size + GROWTH_ROOM + 7) & ~7ULL);
        a->rent_epoch = read64(at);
        at += 8;
    }
    call->size = read64(at);
    call->data = at + 8;
    call->program = call->data + call->size;
    return 1;
}

#endif
