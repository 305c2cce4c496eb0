// Loops that the verifier looks at once: `bpf_loop`, and before Linux 5.17, which brought that, one over the elements of a
// map, which have no other use.
#pragma once

// Whether the kernel has `bpf_loop`.
const volatile __u32 has_loop = 1;

#define ROUNDS_OF(name, times)                    \
    struct {                                      \
        UINT(type, BPF_MAP_TYPE_ARRAY);           \
        UINT(max_entries, times);                 \
        TYPE(key, __u32);                         \
        TYPE(value, __u32);                       \
    } name SEC(".maps")

// Calls `round(index, context)` until it returns other than 0, `times` times at most; `rounds` has as many elements, and
// `round_of` is `ROUND_OF(round, …)`.
#define REPEAT(times, rounds, round, round_of, context)            \
    do {                                                           \
        if (has_loop)                                              \
            bpf_loop(times, round, context, 0);                    \
        else                                                       \
            bpf_for_each_map_elem(&rounds, round_of, context, 0);  \
    } while (0)

// A round, as it is called for an element.
#define ROUND_OF(name, round, type)                                              \
    static long name(void *map, const __u32 *index, void *value, type *context)  \
    {                                                                            \
        return round(*index, context);                                           \
    }
