// Walking a stack: for each return address one row of a table, that says where the caller's frame is.
#pragma once

INLINE struct process *find_process(__u32 slot)
{
    void *inner = bpf_map_lookup_elem(&PROCESSES, &slot);
    __u32 first = 0;
    return inner ? bpf_map_lookup_elem(inner, &first) : 0;
}

// A binary search, one step a round. (As loops the verifier would follow every way through them.)
struct search {
    __u64 address;
    struct process *process;
    __u32 low, high;
};

// Steps at most: for a process's mappings, and for a module's rows.
#define MAPPING_STEPS 10
#define ROW_STEPS 22

enum { GO_ON = 0, STOP = 1 };

INLINE struct mapping *mapping_at(struct process *process, __u32 index)
{
    __u64 at = index;
    SETTLE(at);
    return at < MAPPINGS_MOST ? &process->mappings[at] : 0;
}

static long each_mapping(__u32 index, struct search *search)
{
    if (search->low >= search->high) return STOP;
    __u32 middle = (search->low + search->high) / 2;
    struct mapping *mapping = mapping_at(search->process, middle);
    if (!mapping) return STOP;
    if (search->address < mapping->start)
        search->high = middle;
    else
        search->low = middle + 1;
    return GO_ON;
}

// The mapping that holds an address; the one at `guess` is looked at first, and is where it was found afterwards.
INLINE struct mapping *find_mapping(struct process *process, __u64 address, __u32 *guess)
{
    struct mapping *mapping = mapping_at(process, *guess);
    if (mapping && address >= mapping->start && address < mapping->end) return mapping;
    struct search search = {.address = address, .process = process, .high = process->count};
    bpf_loop(MAPPING_STEPS, each_mapping, &search, 0);
    if (search.low == 0) return 0;
    *guess = search.low - 1;
    mapping = mapping_at(process, search.low - 1);
    return mapping && address >= mapping->start && address < mapping->end ? mapping : 0;
}

INLINE struct mapping *mapping_of(struct process *process, __u64 address)
{
    __u32 guess = 0;
    return find_mapping(process, address, &guess);
}

static long each_row(__u32 index, struct search *search)
{
    if (search->low >= search->high) return STOP;
    __u32 middle = (search->low + search->high) / 2;
    struct row *row = bpf_map_lookup_elem(&ROWS, &middle);
    if (!row) return STOP;
    if (row->from <= search->address)
        search->low = middle + 1;
    else
        search->high = middle;
    return GO_ON;
}

// The last row of a mapping that begins at this offset or before.
INLINE struct row *find_row(struct mapping *mapping, __u32 offset)
{
    struct search search = {.address = offset, .low = mapping->first, .high = mapping->first + mapping->rows};
    bpf_loop(ROW_STEPS, each_row, &search, 0);
    if (search.low == mapping->first) return 0;
    __u32 found = search.low - 1;
    return bpf_map_lookup_elem(&ROWS, &found);
}

#define HASH_FACTOR 0x9e3779b97f4a7c15ull

INLINE void note(struct thread *walk, __u64 trust)
{
    __u64 word = (walk->pc & ((1ull << 62) - 1)) | trust;
    __u64 at = walk->depth;
    SETTLE(at);
    if (at < DEPTH_MOST) walk->record[2 + at] = word;
    walk->depth = at + 1;
    walk->hash = (walk->hash ^ word) * HASH_FACTOR;
    walk->hash ^= walk->hash >> 29;
}

// A frame found by its frame pointer is believed only if it is no larger than this.
#define LARGEST_GUESSED (1u << 16)

// `ucontext_t.uc_mcontext.gregs` from __restore_rt, whose stack pointer is the ucontext_t's address.
#define SIGNAL_RBP (40 + 8 * 10)
#define SIGNAL_RSP (40 + 8 * 15)
#define SIGNAL_RIP (40 + 8 * 16)

INLINE int stop(struct thread *walk, __u32 why)
{
    walk->end = why;
    return STOP;
}

INLINE bool word_at(__u64 address, __u64 *into)
{
    return bpf_probe_read_user(into, 8, (void *)address) == 0;
}

// Where nothing says how to leave a frame, its frame pointer may.
INLINE int by_frame_pointer(struct thread *walk, struct process *process)
{
    __u64 frame[2];
    if (walk->bp < walk->walked_sp || walk->bp - walk->walked_sp > LARGEST_GUESSED || walk->bp & 7) return stop(walk, END_NO_ROW);
    if (bpf_probe_read_user(frame, 16, (void *)walk->bp)) return stop(walk, END_NO_ROW);
    if (frame[0] <= walk->bp || !find_mapping(process, frame[1] - 1, &walk->guess)) return stop(walk, END_NO_ROW);
    walk->walked_sp = walk->bp + 16;
    walk->bp = frame[0];
    walk->pc = frame[1];
    note(walk, TRUST_FRAME_POINTER);
    return GO_ON;
}

INLINE int through_signal(struct thread *walk)
{
    __u64 sp = walk->walked_sp;
    if (!word_at(sp + SIGNAL_RIP, &walk->pc) || !word_at(sp + SIGNAL_RBP, &walk->bp) ||
        !word_at(sp + SIGNAL_RSP, &walk->walked_sp))
        return stop(walk, END_UNREADABLE);
    walk->exact = 1;
    note(walk, TRUST_CONTEXT);
    return GO_ON;
}

// From one frame to its caller.
INLINE int step(struct thread *walk, struct process *process)
{
    __u64 address = walk->pc - !walk->exact;
    struct mapping *mapping = find_mapping(process, address, &walk->guess);
    // What lies there will be known soon: no guess.
    if (!mapping) return stop(walk, END_NO_MAPPING);
    struct row *row = find_row(mapping, address - mapping->bias);
    if (!row || row->next == NEXT_UNKNOWN) return by_frame_pointer(walk, process);
    walk->exact = 0;
    if (row->next == NEXT_OUTERMOST) return stop(walk, END_COMPLETE);
    if (row->next == NEXT_SIGNAL) return through_signal(walk);
    __u64 cfa = walk->walked_sp + row->cfa;
    if (row->base == BASE_RBP) cfa = walk->bp + row->cfa;
    if (row->base == BASE_AT_RBP && !word_at(walk->bp + row->cfa, &cfa)) return stop(walk, END_UNREADABLE);
    // A frame lies above its callee's.
    if (cfa <= walk->walked_sp) return stop(walk, END_UNREADABLE);
    __u64 pc = 0, bp = walk->bp;
    if (!word_at(cfa - 8, &pc)) return stop(walk, END_UNREADABLE);
    if (row->saved_base == SAVED_AT_CFA && !word_at(cfa + row->saved, &bp)) return stop(walk, END_UNREADABLE);
    if (row->saved_base == SAVED_AT_RBP && !word_at(walk->bp + row->saved, &bp)) return stop(walk, END_UNREADABLE);
    if (!pc) return stop(walk, END_COMPLETE);
    walk->pc = pc;
    walk->walked_sp = cfa;
    walk->bp = bp;
    note(walk, TRUST_TABLE);
    return GO_ON;
}

// Where a walk is lies in the thread's entry, not on the stack: what lies there the verifier would follow frame by frame.
struct walk {
    struct thread *thread;
    struct process *process;
};

static long each_frame(__u32 index, struct walk *walk)
{
    return step(walk->thread, walk->process);
}

// Where a stack leads out of what is known (a module that has only just been loaded), it is copied, for unfreed to walk
// once it has looked what lies there. Not where there is little room: each takes as much as hundreds of events.
INLINE __u64 copy_stack(struct thread *thread, struct process *process, __u32 slot, __u64 sp, __u64 bp, __u64 caller)
{
    if (bpf_ringbuf_query(&EVENTS, BPF_RB_AVAIL_DATA) > ring_enough / 2) return 0;
    __u64 *record = bpf_ringbuf_reserve(&EVENTS, 7 * 8 + COPY_PIECE * COPY_PIECES, 0);
    if (!record) return 0;
    __u64 from = sp & ~(COPY_PIECE - 1ull), name = (thread->hash ^ bpf_ktime_get_ns() ^ sp) | 1;
    __u32 pieces = 0;
    for (int piece = 0; piece < COPY_PIECES; piece++) {
        char *into = (char *)record + 7 * 8 + piece * COPY_PIECE;
        if (bpf_probe_read_user(into, COPY_PIECE, (void *)(from + piece * COPY_PIECE))) break;
        pieces++;
    }
    record[0] = (__u64)slot << 40 | (__u64)(process->generation & 0xffffff) << 16 | KIND_COPY;
    record[1] = name;
    record[2] = sp;
    record[3] = bp;
    record[4] = caller;
    record[5] = from;
    record[6] = pieces * COPY_PIECE;
    bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
    return name;
}

INLINE void begin_walk(struct thread *thread, struct process *process, __u32 slot, __u64 pc, __u64 sp, __u64 bp)
{
    thread->pc = pc;
    thread->walked_sp = sp;
    thread->bp = bp;
    thread->hash = ((__u64)process->generation << 32 | slot) * HASH_FACTOR + 1;
    thread->depth = 0;
    thread->guess = 0;
    thread->exact = 0;
    thread->end = END_DEPTH;
}

INLINE void walk_on(struct thread *thread, struct process *process)
{
    struct walk walk = {.thread = thread, .process = process};
    bpf_loop(DEPTH_MOST - 1, each_frame, &walk, 0);
}

// Tells what was walked unless it was told, and gives its name; 0 where it could not be told.
INLINE __u64 tell_walk(struct thread *thread, struct process *process, __u32 slot)
{
    __u64 name = thread->hash ^ thread->end;
    if (!name) name = 1;
    if (bpf_map_lookup_elem(&TOLD, &name)) return name;
    __u64 depth = thread->depth;
    SETTLE(depth);
    if (depth > DEPTH_MOST) depth = DEPTH_MOST;
    thread->record[0] = (__u64)slot << 40 | (__u64)(process->generation & 0xffffff) << 16 | (__u64)thread->end << 8 | KIND_STACK;
    thread->record[1] = name;
    if (bpf_ringbuf_output(&EVENTS, thread->record, (2 + depth) * 8, BPF_RB_NO_WAKEUP)) return 0;
    // After it was told: whoever finds it here comes later in the ring.
    __u32 told = 1;
    bpf_map_update_elem(&TOLD, &name, &told, BPF_ANY);
    return name;
}

// Walks the stack of a function at its entry, tells it unless it was told, and gives its name; 0 where it could not be
// told.
INLINE __u64 take_stack(struct thread *thread, struct process *process, __u32 slot, __u64 sp, __u64 bp, __u64 caller)
{
    begin_walk(thread, process, slot, caller, sp + 8, bp);
    note(thread, TRUST_TABLE);
    walk_on(thread, process);
    if (thread->end == END_NO_MAPPING) {
        __u64 copied = copy_stack(thread, process, slot, sp, bp, caller);
        if (copied) return copied;
    }
    return tell_walk(thread, process, slot);
}
