/* What the runtime gives a program: its structures (the C ABI of the Solana SDK) and system calls. */
#ifndef SOLANA_H
#define SOLANA_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

typedef struct {
    const u8 *key;
    u8 writable, signer;
} Meta;

typedef struct {
    const u8 *program;
    const Meta *accounts;
    u64 account_count;
    const u8 *data;
    u64 data_size;
} Instruction;

typedef struct {
    const u8 *key;
    u64 *lamports;
    u64 size;
    u8 *data;
    const u8 *owner;
    u64 rent_epoch;
    u8 signer, writable, executable;
} Account;

typedef struct {
    const u8 *at;
    u64 size;
} Bytes;

typedef struct {
    const Bytes *seeds;
    u64 count;
} Signer;

extern u64 sol_log_data(const Bytes *parts, u64 count);
extern u64 sol_invoke_signed_c(const Instruction *, const Account *, u64 count, const Signer *, u64 signers);
extern u64 sol_create_program_address(const Bytes *seeds, u64 count, const u8 *program, u8 *address);
extern u64 sol_try_find_program_address(const Bytes *seeds, u64 count, const u8 *program, u8 *address, u8 *bump);
extern u64 sol_memcpy_(void *to, const void *from, u64 size);
extern u64 sol_memset_(void *to, u8 value, u64 size);
extern u64 sol_get_clock_sysvar(void *clock);
extern u64 sol_get_rent_sysvar(void *rent);
extern u64 sol_set_return_data(const u8 *data, u64 size);

#define ACCOUNTS_MOST 25
#define GROWTH_ROOM 10240 /* what the runtime leaves behind each account's data */

#endif
