// What the probe and src/collect/ebpf/layout.rs share. Whoever changes one changes the other: a test compares the
// sizes.
#pragma once

#include <linux/types.h>

// A cookie tells a probe what it is on.
//
//   bits  0..8   function, numbered as src/event.rs has them
//   bits  8..12  shape: where the arguments are
//   bit  12      other probed functions may call this one, or jump to it
//   bits 32..64  slot of the process
#define COOKIE_SHAPE 8
#define COOKIE_GUARDED (1ull << 12)
#define COOKIE_SLOT 32

enum shape {
    SHAPE_SIZE = 0,          // (size)
    SHAPE_PRODUCT = 1,       // (count, size)
    SHAPE_ALIGNED = 2,       // (alignment, size)
    SHAPE_OUT = 3,           // (out, alignment, size)
    SHAPE_RESIZE = 4,        // (block, size)
    SHAPE_RESIZE_ARRAY = 5,  // (block, count, size)
    // As Windows passes arguments: rcx, rdx, r8, r9.
    SHAPE_HEAP = 6,         // (heap, flags, size)
    SHAPE_HEAP_RESIZE = 7,  // (heap, flags, block, size)
    SHAPE_HEAP_FREE = 8,    // (heap, flags, block)
    SHAPE_WHOLE_HEAP = 9,   // what is made or unmade is a heap: (heap)
};

// One range of addresses of a module in which one rule holds: up to the next row.
struct row {
    __u32 from;   // offset from the mapping's bias
    __s32 cfa;    // the caller's frame: base + cfa
    __s32 saved;  // where the caller's rbp is
    __u8 next;
    __u8 base;
    __u8 saved_base;
    __u8 unused;
};

enum next { NEXT_UNKNOWN = 0, NEXT_FRAME = 1, NEXT_OUTERMOST = 2, NEXT_SIGNAL = 3 };
// BASE_MACHINE: of NEXT_SIGNAL, that it was the processor, in a program of Windows.
enum base { BASE_RSP = 0, BASE_RBP = 1, BASE_AT_RBP = 2, BASE_MACHINE = 3 };
enum saved_base { SAVED_UNCHANGED = 0, SAVED_AT_CFA = 1, SAVED_AT_RBP = 2 };

// Executable memory of a process. `rows` may be 0: then nothing says how to leave it.
struct mapping {
    __u64 start, end;
    __u64 bias;
    __u32 first, rows;
    __u32 flags;
    __u32 unused;
};
#define MAPPING_ALLOCATOR 1u

#define MAPPINGS_MOST 510
struct process {
    // Part of every stack's name: what lies at an address is only certain within one. Bit 23: another
    // program was executed, of which nothing is known yet.
    __u32 generation;
    __u32 count;
    __u64 own_start, own_end;  // the code of the C library's allocator, and all around it
    struct mapping mappings[MAPPINGS_MOST];
};

#define GENERATION_EXECUTED (1u << 23)

#define SLOTS 4096
// A process that is followed, and not traced.
#define NO_SLOT 0
#define DEPTH_MOST 192

// Records begin with one word:
//
//   bits  0..8   kind
//   bits  8..16  function; of a stack: how it ends
//   bits 16..40  thread; of a stack: the generation it was walked in
//   bits 40..64  slot; 0 is nobody's
enum kind {
    KIND_ALLOC = 1,     // time, address, size, stack
    KIND_FREE = 2,      // time, address
    KIND_STACK = 3,     // name, then frames, innermost first: address, trust in the highest two bits
    KIND_MAP = 4,       // time
    KIND_FORK = 5,      // time, parent's pid << 32 | child's
    KIND_EXEC = 6,      // time, pid, name (16 bytes)
    KIND_EXIT = 7,      // time, pid
    KIND_FAILED = 8,    // time, address: a resize gave nothing, so that this block lives on
    KIND_OWN_FREE = 10, // time, address, stack
    KIND_GREW = 11,     // time, address, length, stack, stack pointer; its function: what happened
    KIND_HEAP_ALLOC = 12, // time, address, size, stack, heap
    KIND_HEAP_FREE = 13,  // time, address, heap
    KIND_COPY = 9,      // name, sp, rbp, caller, where the copy begins, its length; then the copy
};

enum grew { GREW_TOUCHED = 0, GREW_MAPPED = 1 };

enum end { END_COMPLETE = 0, END_NO_MAPPING = 1, END_NO_ROW = 2, END_UNREADABLE = 3, END_DEPTH = 4 };

// Of a stack that leads out of what is known, so much is copied, in pieces that lie within one page each.
#define COPY_PIECE 1024
#define COPY_PIECES 16

// What was lost, by slot.
struct counters {
    __u64 allocations;     // no room in the ring, or among the threads
    __u64 frees;           // no room in the ring
    __u64 stacks;          // no room in the ring
    __u64 missed_returns;  // calls that were seen to begin and not to end
    __u64 others;          // no room in the ring for what concerns modules and processes
};

#define TRUST_TABLE (1ull << 62)
#define TRUST_FRAME_POINTER (2ull << 62)
#define TRUST_CONTEXT 0ull
