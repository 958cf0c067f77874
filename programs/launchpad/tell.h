/* Events: the data of a call from this program to itself. A node keeps the instructions of a transaction whole, while
 * anybody can make its logs so long that nodes cut them (docs/decisions/0021-events-are-instructions.md). */
#ifndef TELL_H
#define TELL_H
#include "../shared/checks.h"
#include "interface.h"

#define EVENT 0x1d9acb512ea545e4ULL /* Anchor's emit_cpi!: in front of the event's own tag */

/* What is called only takes it. Whoever reads looks who called: anybody may call the same. */
OWN_FRAME void tell(const Call *call, const void *event, u64 size) {
    struct {
        u64 tag;
        u8 event[EVENT_MOST];
    } data = {.tag = EVENT};
    Instruction ix = {call->program, 0, 0, (const u8 *)&data, 8 + size};
    sol_memcpy_(data.event, event, size);
    sol_invoke_signed_c(&ix, 0, 0, 0, 0);
}

#endif
