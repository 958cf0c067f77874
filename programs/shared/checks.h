/* What every instruction needs: refusals, comparisons of addresses, the chain's time. */
#ifndef CHECKS_H
#define CHECKS_H
#include "entry.h"
#include "known.h"

#define NEED(condition, code) \
    do {                      \
        if (!(condition)) return code; \
    } while (0)
#define TRY(call)                   \
    do {                            \
        u64 failed_ = (call);       \
        if (failed_) return failed_; \
    } while (0)

INLINE u8 same(const u8 *a, const u8 *b) {
    return read64(a) == read64(b) && read64(a + 8) == read64(b + 8) && read64(a + 16) == read64(b + 16) &&
           read64(a + 24) == read64(b + 24);
}

INLINE u8 is_zero(const u8 *key) { return same(key, SYSTEM_PROGRAM); }

INLINE void copy_key(u8 *to, const u8 *from) { sol_memcpy_(to, from, 32); }

INLINE u16 read16(const u8 *at) { return (u16)(at[0] | at[1] << 8); }

INLINE i64 now(void) {
    u64 clock[5];
    sol_get_clock_sysvar(clock);
    return (i64)clock[4];
}

/* An account of this program: owner, size and tag. Anybody else's bytes are refused here. */
OWN_FRAME u64 check_ours(const Call *call, u64 index, u64 tag, u64 size) {
    const Account *a = &call->account[index];
    NEED(same(a->owner, call->program), WRONG_OWNER);
    NEED(a->size == size && read64(a->data) == tag, WRONG_KIND);
    NEED(a->writable, NOT_WRITABLE);
    return 0;
}

/* Whether an address is where the seeds lead; the bump is found, never believed. */
OWN_FRAME u64 check_derived(const Call *call, u64 index, const Bytes *seeds, u64 count, u8 *bump) {
    u8 address[32];
    NEED(!sol_try_find_program_address(seeds, count, call->program, address, bump), WRONG_ADDRESS);
    return same(address, call->account[index].key) ? 0 : WRONG_ADDRESS;
}

#endif
