// Sampling by bytes, as the agent does it (agent/src/sample.rs): along the bytes that a thread allocates lie points at
// distances drawn from an exponential distribution. A block that holds one is told, and so is its free. The kernel
// has no floating point, and the verifier no numbers of 128 bits.
#pragma once

// Blocks whose allocation was told and whose free was not.
struct {
    UINT(type, BPF_MAP_TYPE_HASH);
    UINT(max_entries, 1);
    TYPE(key, struct released_key);
    TYPE(value, __u32);
} SAMPLED SEC(".maps");

// The natural logarithm of 2, times 2^32.
#define LN_2 2977044472ull
#define FRACTION 24

// The distance of two points: -ln(u) times the mean, and at least 1.
ASIDE __u64 distance(void)
{
    __u64 uniform = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32() | 1;
    __u64 whole = 0, fraction = 0;
#pragma unroll
    for (int bits = 32; bits; bits /= 2) {
        if (uniform >> (64 - bits) == 0) {
            uniform <<= bits;
            whole += bits;
        }
    }
    // Squaring doubles the logarithm; what comes to 2 or more is its next digit.
    __u64 mantissa = uniform >> 32;
#pragma unroll
    for (int digit = 0; digit < FRACTION; digit++) {
        __u64 square = mantissa * mantissa, carry = square >> 63;
        mantissa = square >> (31 + carry);
        fraction = fraction << 1 | carry;
    }
    __u64 minus_log2 = ((whole + 1) << FRACTION) - fraction;
    __u64 minus_ln = minus_log2 * LN_2 >> 32;
    // The mean has 40 bits: in two halves.
    return (minus_ln * (sample_mean >> 20) >> (FRACTION - 20)) + (minus_ln * (sample_mean & 0xfffff) >> FRACTION) + 1;
}

// Whether a block of this size holds no point; if it holds one, the next is drawn.
INLINE bool passes(struct thread *thread, __u64 size)
{
    if (!sample_mean) return false;
    // One of no bytes takes one, or it could never be told.
    if (!size) size = 1;
    // Of a thread that was not met before.
    if (!thread->left) thread->left = distance();
    if (size < thread->left) {
        thread->left -= size;
        return true;
    }
    thread->left = distance();
    return false;
}

// Whether the allocation of this block was told, as far as it is known by now.
INLINE bool was_told(__u32 slot, __u64 address)
{
    if (!sample_mean) return true;
    struct released_key key = {.address = address, .slot = slot};
    return bpf_map_lookup_elem(&SAMPLED, &key);
}

// Its free is told.
INLINE void forget(__u32 slot, __u64 address)
{
    if (!sample_mean) return;
    struct released_key key = {.address = address, .slot = slot};
    bpf_map_delete_elem(&SAMPLED, &key);
}

// Its allocation is to be told; whether there was room to remember that.
INLINE bool remember(__u32 slot, __u64 address)
{
    if (!sample_mean) return true;
    struct released_key key = {.address = address, .slot = slot};
    __u32 one = 1;
    return bpf_map_update_elem(&SAMPLED, &key, &one, BPF_ANY) == 0;
}
