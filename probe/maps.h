// What the probe keeps, and what it is told.
#pragma once

// Bytes of a stack that are read at once, and how far below the end of a frame what it saved usually lies.
#define WINDOW 1024
#define SAVED_MOST 64

// A call under way on one thread, and room for its stack.
struct thread {
    __u64 sp;      // of the outermost call; 0: none is under way
    __u64 caller;  // its return address
    __u64 size;
    __u64 out;      // where posix_memalign puts the address
    __u64 resized;  // what realloc was given
    __u64 stack;
    __u64 function;
    __u64 heap;  // of Windows' heaps: which
    __u64 left;    // bytes up to the next sampling point; 0: none was drawn
    __u64 passed;  // the call under way allocates a block that is not told
    // The walk of its stack.
    __u64 pc, walked_sp, bp, seed, hash;
    __u32 depth, end, guess;
    __u32 exact;  // the pc is where a signal struck, no return address
    // A part of the stack, as it was read at once.
    __u64 window_from, window_length;
    __u64 window[WINDOW / 8];
    // A stack's record, as it goes into the ring.
    __u64 record[2 + DEPTH_MOST];
};

static const struct thread NEW_THREAD SEC(".rodata.thread");

// Bytes from one sampling point to the next, on average; 0: every block is told.
const volatile __u64 sample_mean = 0;

// More than that in the ring: no more allocations.
const volatile __u64 ring_enough = (16 << 20) / 8 * 7;

struct {
    UINT(type, BPF_MAP_TYPE_RINGBUF);
    UINT(max_entries, 16 << 20);
} EVENTS SEC(".maps");

// Rows of all modules, one module after the other.
struct {
    UINT(type, BPF_MAP_TYPE_ARRAY);
    UINT(map_flags, BPF_F_MMAPABLE);
    UINT(max_entries, 1 << 20);
    TYPE(key, __u32);
    TYPE(value, struct row);
} ROWS SEC(".maps");

// Rules of addresses that stacks led through before, so that they need not be searched for again. `check` is the
// address and its process, mixed, and combined with the rule, so that two halves of different ones match nothing: all
// processors write here, and none waits.
struct rule {
    __u64 check;
    __u64 rule;
};
#define RULES_BITS 14

struct {
    UINT(type, BPF_MAP_TYPE_ARRAY);
    UINT(max_entries, 1 << RULES_BITS);
    TYPE(key, __u32);
    TYPE(value, struct rule);
} RULES SEC(".maps");

// What each process has mapped. An inner map of one entry is replaced as a whole, and freed when nobody reads it.
struct process_map {
    UINT(type, BPF_MAP_TYPE_ARRAY);
    UINT(max_entries, 1);
    UINT(key_size, sizeof(__u32));
    UINT(value_size, sizeof(struct process));
};

struct {
    UINT(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    UINT(max_entries, SLOTS);
    TYPE(key, __u32);
    UINT(value_size, sizeof(__u32));
    struct process_map *values[];
} PROCESSES SEC(".maps");

struct {
    UINT(type, BPF_MAP_TYPE_HASH);
    UINT(max_entries, 4096);
    TYPE(key, __u64);
    TYPE(value, struct thread);
} THREADS SEC(".maps");

// Names of stacks that were told. Where one is forgotten it is told again.
struct {
    UINT(type, BPF_MAP_TYPE_LRU_HASH);
    UINT(max_entries, 1 << 16);
    TYPE(key, __u64);
    TYPE(value, __u32);
} TOLD SEC(".maps");

// Of these names the last, each in its own place: what is found here need not be searched for.
#define TOLD_LAST_BITS 13

struct {
    UINT(type, BPF_MAP_TYPE_ARRAY);
    UINT(max_entries, 1 << TOLD_LAST_BITS);
    TYPE(key, __u32);
    TYPE(value, __u64);
} TOLD_LAST SEC(".maps");

// Where an address was released last, and not allocated since: of allocators whose functions call each other.
struct released_key {
    __u64 address;
    __u64 slot;
};

struct released {
    __u64 thread, sp, caller, function;
};

struct {
    UINT(type, BPF_MAP_TYPE_LRU_HASH);
    UINT(max_entries, 1 << 16);
    TYPE(key, struct released_key);
    TYPE(value, struct released);
} RELEASED SEC(".maps");

struct {
    UINT(type, BPF_MAP_TYPE_ARRAY);
    UINT(map_flags, BPF_F_MMAPABLE);
    UINT(max_entries, SLOTS);
    TYPE(key, __u32);
    TYPE(value, struct counters);
} LOSSES SEC(".maps");

// Processes of which forks, executions and ends are told, by pid: their slots.
struct {
    UINT(type, BPF_MAP_TYPE_HASH);
    UINT(max_entries, 4 * SLOTS);
    TYPE(key, __u32);
    TYPE(value, __u32);
} FOLLOWED SEC(".maps");
