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

ROUNDS_OF(MAPPING_ROUNDS, MAPPING_STEPS);
ROUNDS_OF(ROW_ROUNDS, ROW_STEPS);

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

ROUND_OF(each_mapping_round, each_mapping, struct search)

// The mapping that holds an address; the one at `guess` is looked at first, and is where it was found afterwards.
INLINE struct mapping *find_mapping(struct process *process, __u64 address, __u32 *guess)
{
    struct mapping *mapping = mapping_at(process, *guess);
    if (mapping && address >= mapping->start && address < mapping->end) return mapping;
    struct search search = {.address = address, .process = process, .high = process->count};
    REPEAT(MAPPING_STEPS, MAPPING_ROUNDS, each_mapping, each_mapping_round, &search);
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

ROUND_OF(each_row_round, each_row, struct search)

// The last row of a mapping that begins at this offset or before.
INLINE struct row *find_row(struct mapping *mapping, __u32 offset)
{
    struct search search = {.address = offset, .low = mapping->first, .high = mapping->first + mapping->rows};
    REPEAT(ROW_STEPS, ROW_ROUNDS, each_row, each_row_round, &search);
    if (search.low == mapping->first) return 0;
    __u32 found = search.low - 1;
    return bpf_map_lookup_elem(&ROWS, &found);
}

#define HASH_FACTOR 0x9e3779b97f4a7c15ull

// What a row says, in one word, so that it can be kept with its address.
//
//   bits  0..2   next
//   bits  2..4   base
//   bits  4..6   saved_base
//   bits  8..32  saved
//   bits 32..64  cfa
//
// 0, which is NEXT_UNKNOWN, is also what a row is that does not fit.
INLINE __u64 packed(struct row *row)
{
    __s32 saved = row->saved;
    if (saved != saved << 8 >> 8) return 0;
    return (__u64)(__u32)row->cfa << 32 | (__u32)saved << 8 | row->saved_base << 4 | row->base << 2 | row->next;
}

#define NEXT_OF(rule) ((rule) & 3)
#define BASE_OF(rule) ((rule) >> 2 & 3)
#define SAVED_BASE_OF(rule) ((rule) >> 4 & 3)
#define SAVED_OF(rule) ((__s32)(rule) >> 8)
#define CFA_OF(rule) ((__s64)(rule) >> 32)
// Nothing is mapped there, as far as is known. (Of a row the bits above saved_base are 0.)
#define NO_RULE 0xc0ull

// The rule for an address, by its row.
ASIDE __u64 search_rule(struct thread *walk, struct process *process, __u64 address)
{
    struct mapping *mapping = find_mapping(process, address, &walk->guess);
    if (!mapping) return NO_RULE;
    struct row *row = find_row(mapping, address - mapping->bias);
    return row ? packed(row) : 0;
}

// The same, from where it was put by after an earlier search.
INLINE __u64 find_rule(struct thread *walk, struct process *process, __u64 address)
{
    __u64 key = (address ^ walk->seed) * HASH_FACTOR;
    __u32 at = key >> (64 - RULES_BITS);
    volatile struct rule *kept = bpf_map_lookup_elem(&RULES, &at);
    if (!kept) return NO_RULE;
    __u64 rule = kept->rule;
    if ((kept->check ^ rule) == key) return rule;
    rule = search_rule(walk, process, address);
    if (rule != NO_RULE) {
        kept->rule = rule;
        kept->check = key ^ rule;
    }
    return rule;
}

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

// Has so much of the stack read as lies in one page: what of a page is not there is not there as a whole.
INLINE void read_window(struct thread *walk, __u64 address)
{
    __u64 length = 4096 - (address & 4095);
    if (length > WINDOW) length = WINDOW;
    SETTLE(length);
    if (length > WINDOW) return;
    walk->window_from = address;
    walk->window_length = bpf_probe_read_user(walk->window, length, (void *)address) ? 0 : length;
}

INLINE bool word_at(struct thread *walk, __u64 address, __u64 *into)
{
    __u64 at = address - walk->window_from;
    SETTLE(at);
    if (at <= WINDOW - 8 && at + 8 <= walk->window_length) {
        *into = *(__u64 *)((char *)walk->window + at);
        return true;
    }
    return bpf_probe_read_user(into, 8, (void *)address) == 0;
}

// Where nothing says how to leave a frame, its frame pointer may.
ASIDE int by_frame_pointer(struct thread *walk, struct process *process)
{
    __u64 frame[2];
    if (walk->bp < walk->walked_sp || walk->bp - walk->walked_sp > LARGEST_GUESSED || walk->bp & 7) return stop(walk, END_NO_ROW);
    if (bpf_probe_read_user(frame, 16, (void *)walk->bp)) return stop(walk, END_NO_ROW);
    if (frame[0] <= walk->bp || !find_mapping(process, frame[1] - 1, &walk->guess)) return stop(walk, END_NO_ROW);
    walk->walked_sp = walk->bp + 16;
    walk->bp = frame[0];
    walk->pc = frame[1];
    walk->exact = 0;
    note(walk, TRUST_FRAME_POINTER);
    return GO_ON;
}

ASIDE int through_signal(struct thread *walk)
{
    __u64 sp = walk->walked_sp;
    if (!word_at(walk, sp + SIGNAL_RIP, &walk->pc) || !word_at(walk, sp + SIGNAL_RBP, &walk->bp) ||
        !word_at(walk, sp + SIGNAL_RSP, &walk->walked_sp))
        return stop(walk, END_UNREADABLE);
    walk->exact = 1;
    note(walk, TRUST_CONTEXT);
    return GO_ON;
}

// What the processor leaves as it interrupts a program of Windows: address, segment, flags, stack pointer.
ASIDE int through_machine_frame(struct thread *walk, __u64 rule)
{
    __u64 frame = walk->walked_sp + CFA_OF(rule);
    if (SAVED_BASE_OF(rule) == SAVED_AT_CFA && !word_at(walk, frame + SAVED_OF(rule), &walk->bp))
        return stop(walk, END_UNREADABLE);
    if (!word_at(walk, frame, &walk->pc) || !word_at(walk, frame + 24, &walk->walked_sp)) return stop(walk, END_UNREADABLE);
    walk->exact = 1;
    note(walk, TRUST_CONTEXT);
    return GO_ON;
}

// From one frame to its caller.
INLINE int step(struct thread *walk, struct process *process)
{
    __u64 rule = find_rule(walk, process, walk->pc - !walk->exact);
    // What lies there will be known soon: no guess.
    if (rule == NO_RULE) return stop(walk, END_NO_MAPPING);
    if (NEXT_OF(rule) == NEXT_UNKNOWN) return by_frame_pointer(walk, process);
    walk->exact = 0;
    if (NEXT_OF(rule) == NEXT_OUTERMOST) return stop(walk, END_COMPLETE);
    if (NEXT_OF(rule) == NEXT_SIGNAL)
        return BASE_OF(rule) == BASE_MACHINE ? through_machine_frame(walk, rule) : through_signal(walk);
    __u64 cfa = (BASE_OF(rule) == BASE_RSP ? walk->walked_sp : walk->bp) + CFA_OF(rule);
    if (BASE_OF(rule) == BASE_AT_RBP && !word_at(walk, cfa, &cfa)) return stop(walk, END_UNREADABLE);
    // A frame lies above its callee's.
    if (cfa <= walk->walked_sp) return stop(walk, END_UNREADABLE);
    __u64 pc = 0, bp = walk->bp;
    // Its highest words are what is needed of it, and the frames above.
    if (cfa - walk->window_from > walk->window_length)
        read_window(walk, cfa - walk->walked_sp > SAVED_MOST ? cfa - SAVED_MOST : walk->walked_sp);
    if (!word_at(walk, cfa - 8, &pc)) return stop(walk, END_UNREADABLE);
    if (SAVED_BASE_OF(rule) == SAVED_AT_CFA && !word_at(walk, cfa + SAVED_OF(rule), &bp)) return stop(walk, END_UNREADABLE);
    if (SAVED_BASE_OF(rule) == SAVED_AT_RBP && !word_at(walk, walk->bp + SAVED_OF(rule), &bp)) return stop(walk, END_UNREADABLE);
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

// Two frames a round, since a round costs nearly as much as a frame; the first frame of all is its caller's.
#define ROUNDS (DEPTH_MOST / 2)
ROUNDS_OF(FRAME_ROUNDS, ROUNDS);

static long each_frames(__u32 index, struct walk *walk)
{
    if (step(walk->thread, walk->process) == STOP || index == ROUNDS - 1) return STOP;
    return step(walk->thread, walk->process);
}

ROUND_OF(each_frames_round, each_frames, struct walk)

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
    thread->seed = ((__u64)process->generation << 32 | slot) * HASH_FACTOR + 1;
    thread->hash = thread->seed;
    thread->depth = 0;
    thread->guess = 0;
    thread->exact = 0;
    thread->end = END_DEPTH;
}

INLINE void walk_on(struct thread *thread, struct process *process)
{
    struct walk walk = {.thread = thread, .process = process};
    REPEAT(ROUNDS, FRAME_ROUNDS, each_frames, each_frames_round, &walk);
}

// Tells what was walked unless it was told, and gives its name; 0 where it could not be told.
INLINE __u64 tell_walk(struct thread *thread, struct process *process, __u32 slot)
{
    __u64 name = thread->hash ^ thread->end;
    if (!name) name = 1;
    __u32 at = name >> (64 - TOLD_LAST_BITS);
    __u64 *last = bpf_map_lookup_elem(&TOLD_LAST, &at);
    if (last && *last == name) return name;
    if (bpf_map_lookup_elem(&TOLD, &name)) {
        if (last) *last = name;
        return name;
    }
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

// Reads where a function's stack begins, at its entry, and gives its return address; 0 where there is none.
INLINE __u64 read_caller(struct thread *thread, __u64 sp)
{
    read_window(thread, sp);
    return thread->window_length >= 8 ? thread->window[0] : 0;
}

// Walks the stack of a function at its entry from what was read, tells it unless it was told, and gives its name; 0
// where it could not be told.
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
