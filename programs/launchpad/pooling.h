/* Calls into the pool program, by the interface of Raydium CPMM: a pool at an address of ours, a swap into the vault. */
#ifndef POOLING_H
#define POOLING_H
#include "graduation.h"
#include "vault.h"

#define DO_INITIALIZE 0xed9b980d1f6dafafULL
#define DO_SWAP_BASE_INPUT 0xde331ec4da5abe8fULL

/* A derived address of one sale, with the bump it needs to sign. */
typedef struct {
    Bytes seeds[3];
    u8 bump;
} Derived;

INLINE u64 derive(Derived *d, const Call *call, u64 index, const char *name, u64 sale) {
    u64 size = 0;
    while (name[size]) size++;
    d->seeds[0] = (Bytes){(const u8 *)name, size};
    d->seeds[1] = (Bytes){call->account[sale].key, 32};
    d->seeds[2] = (Bytes){&d->bump, 1};
    return check_derived(call, index, d->seeds, 2, &d->bump);
}

/* Who signs for a graduating sale: [0] pool_creator, without data, so that it can pay; [1] the pool; [2] the vesting. */
typedef struct {
    Derived at[3];
    Signer signer[3];
} Hands;

enum { HAND_CREATOR, HAND_POOL, HAND_VESTING };

INLINE u64 take_hand(Hands *hands, u32 hand, const Call *call, u64 index, u64 sale) {
    static const char names[3][13] = {"pool_creator", "pool", "vesting"};
    hands->signer[hand] = (Signer){hands->at[hand].seeds, 3};
    return derive(&hands->at[hand], call, index, names[hand], sale);
}

/* Lamports of the sale into an account of wrapped SOL. */
OWN_FRAME u64 wrap(const Call *call, const Route *route, u64 lamports, const Signers *creator) {
    pay_out(call, route->from, route->to, lamports);
    TRY(publish_lamports(call, route->from, route->to, route->authority, creator));
    return sync_wrapped(call, route->to);
}

#endif
