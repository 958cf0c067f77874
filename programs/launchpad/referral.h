/* register_referral: one upline per wallet, for ever. */
#ifndef REFERRAL_H
#define REFERRAL_H
#include "../shared/system.h"
#include "state.h"

enum { F_USER, F_REFERRAL, F_REFERRER, F_SYSTEM };

typedef struct {
    u64 tag;
    u8 user[32], referrer[32];
} ReferralRegistered;

/* The chain is copied from the referrer's own account, which is older: no cycle, no chosen ancestors, nobody unknown. */
INLINE void join(Referral *referral, Referral *parent) {
    copy_key(referral->upline[0], parent->user);
    for (u32 level = 1; level < LEVELS; level++) copy_key(referral->upline[level], parent->upline[level - 1]);
    parent->direct++;
}

/* `referrer` is the referrer's account, or the System program for nobody. */
OWN_FRAME u64 register_referral(const Call *call, const u8 *at, u64 size) {
    const Account *a = call->account;
    ReferralRegistered event = {.tag = TELL_REFERRAL_REGISTERED};
    u8 bump, alone = is_zero(a[F_REFERRER].key);
    Bytes seeds[3] = {{(const u8 *)"referral", 8}, {a[F_USER].key, 32}, {&bump, 1}};
    Signer signer = {seeds, 3};
    Signers by = {&signer, 1};
    Opening opening = {F_USER, F_REFERRAL, REFERRAL_SIZE, call->program};
    (void)at;
    NEED(size == 0, BAD_DATA);
    NEED(a[F_USER].signer, NOT_SIGNER);
    NEED(!same(a[F_REFERRAL].owner, call->program), ALREADY_REGISTERED);
    if (!alone) TRY(check_ours(call, F_REFERRER, IS_REFERRAL, REFERRAL_SIZE));
    TRY(check_derived(call, F_REFERRAL, seeds, 2, &bump));
    TRY(open_account(call, &opening, &by));
    Referral *referral = (Referral *)a[F_REFERRAL].data;
    referral->tag = IS_REFERRAL;
    copy_key(referral->user, a[F_USER].key);
    if (!alone) join(referral, (Referral *)a[F_REFERRER].data);
    copy_key(event.user, referral->user);
    copy_key(event.referrer, referral->upline[0]);
    tell(call, &event, REFERRAL_REGISTERED_EVENT_SIZE);
    return 0;
}

#endif
