// The probe: sits on the entries and returns of allocator functions in the traced processes, walks their stacks by
// tables that unfreed made of their .eh_frame, and writes what happened into one ring.
//
// It holds nothing back: an allocation is told when the function returned, a release before it begins. The ring is
// one for all processors, so its order is theirs: whoever is given an address comes after whoever gave it back.

#include "helpers.h"
#include "layout.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// Where the child's pid lies in sched:sched_process_fork, which moved between versions.
const volatile __u32 fork_child_at = 44;
// Where the address lies in exceptions:page_fault_user and its like, and what is told in mmap:vm_unmapped_area.
const volatile __u32 fault_address_at = 8;
const volatile __u32 mapped_address_at = 8, mapped_length_at = 32;
// Whether every execution on the machine is told, for who waits for a program of some name.
const volatile __u32 tell_executions = 0;

#include "maps.h"
#include "rounds.h"
#include "walk.h"
#include "sample.h"

INLINE __u64 head(__u8 kind, __u8 function, __u32 thread, __u32 slot)
{
    return (__u64)slot << 40 | (__u64)(thread & 0xffffff) << 16 | (__u64)function << 8 | kind;
}

INLINE struct counters *losses(__u32 slot)
{
    return bpf_map_lookup_elem(&LOSSES, &slot);
}

#define LOSE(slot, what)                                     \
    do {                                                     \
        struct counters *lost = losses(slot);                \
        if (lost) __sync_fetch_and_add(&lost->what, 1);      \
    } while (0)

// Nobody is woken: whoever reads the ring looks every millisecond. A wake-up would cost more than all the rest.
#define QUIETLY BPF_RB_NO_WAKEUP

INLINE void tell_free(__u32 slot, __u32 thread, __u8 function, __u64 address)
{
    __u64 *record = bpf_ringbuf_reserve(&EVENTS, 3 * 8, 0);
    if (!record) {
        LOSE(slot, frees);
        return;
    }
    record[0] = head(KIND_FREE, function, thread, slot);
    record[1] = bpf_ktime_get_ns();
    record[2] = address;
    bpf_ringbuf_submit(record, QUIETLY);
}

// One that the allocator's own library makes: with its stack.
INLINE void tell_own_free(__u32 slot, __u32 thread, __u8 function, __u64 address, __u64 stack)
{
    __u64 *record = bpf_ringbuf_reserve(&EVENTS, 4 * 8, 0);
    if (!record) {
        LOSE(slot, frees);
        return;
    }
    record[0] = head(KIND_OWN_FREE, function, thread, slot);
    record[1] = bpf_ktime_get_ns();
    record[2] = address;
    record[3] = stack;
    bpf_ringbuf_submit(record, QUIETLY);
}

INLINE struct thread *find_thread(__u64 key)
{
    struct thread *thread = bpf_map_lookup_elem(&THREADS, &key);
    if (thread) return thread;
    bpf_map_update_elem(&THREADS, &key, &NEW_THREAD, BPF_NOEXIST);
    return bpf_map_lookup_elem(&THREADS, &key);
}

#include "heaps.h"

// An allocator's own stack is no deeper than this.
#define ALLOCATOR_STACK (1u << 16)

// Whether a call at this stack pointer was made by the one that is under way. One at the same height jumped here
// from it, if its return address is the kernel's, which has put its own there; else, or higher, the
// earlier call was left by a jump or an exception. So it was where a deeper call is somebody else's, or where
// something else lies by now in the place of its return address.
INLINE bool is_within(struct thread *thread, struct process *process, __u64 sp, __u64 caller)
{
    if (!thread->sp) return false;
    if (sp == thread->sp) return caller != thread->caller && !mapping_of(process, caller - 1);
    if (sp > thread->sp || thread->sp - sp >= ALLOCATOR_STACK) return false;
    struct mapping *mapping = mapping_of(process, caller - 1);
    if (mapping && !(mapping->flags & MAPPING_ALLOCATOR)) return false;
    __u64 returns_to = 0;
    bpf_probe_read_user(&returns_to, 8, (void *)thread->sp);
    return returns_to == thread->caller || !mapping_of(process, returns_to - 1);
}

INLINE __u64 size_of(struct pt_regs *context, __u8 shape)
{
    __u64 first = context->rdi, second = context->rsi, third = context->rdx;
    SETTLE(first);
    SETTLE(second);
    SETTLE(third);
    switch (shape) {
    case SHAPE_PRODUCT: return first * second;
    case SHAPE_ALIGNED:
    case SHAPE_RESIZE: return second;
    case SHAPE_OUT: return third;
    case SHAPE_RESIZE_ARRAY: return second * third;
    case SHAPE_HEAP: return context->r8;
    case SHAPE_HEAP_RESIZE: return context->r9;
    default: return first;
    }
}

INLINE int enter_allocation(struct pt_regs *context, __u64 cookie)
{
    __u32 slot = cookie >> COOKIE_SLOT;
    __u8 shape = cookie >> COOKIE_SHAPE & 0xf;
    __u64 key = bpf_get_current_pid_tgid();
    struct process *process = find_process(slot);
    if (!process) {
        LOSE(slot, allocations);
        return 0;
    }
    struct thread *thread = find_thread(key);
    if (!thread) {
        LOSE(slot, allocations);
        return 0;
    }
    __u64 sp = context->rsp, caller = read_caller(thread, sp);
    if (is_within(thread, process, sp, caller)) return 0;
    if (thread->sp) LOSE(slot, missed_returns);
    thread->sp = sp;
    thread->caller = caller;
    thread->size = size_of(context, shape);
    thread->out = shape == SHAPE_OUT ? context->rdi : 0;
    thread->function = cookie;
    thread->resized = 0;
    thread->heap = heap_of(context, shape);
    thread->passed = passes(thread, thread->size);
    if (!thread->passed) {
        thread->stack = take_stack(thread, process, slot, sp, context->rbp, caller);
        if (thread->stack == 0) LOSE(slot, stacks);
    }
    if (shape == SHAPE_HEAP_RESIZE) {
        __u64 block = context->r8;
        if (block && was_told(slot, block)) {
            thread->resized = block;
            forget(slot, block);
            tell_heap_free(slot, key, cookie, block, thread->heap);
        }
    }
    if ((shape == SHAPE_RESIZE || shape == SHAPE_RESIZE_ARRAY) && context->rdi && was_told(slot, context->rdi)) {
        thread->resized = context->rdi;
        forget(slot, context->rdi);
        tell_free(slot, key, cookie, context->rdi);
    }
    return 0;
}

// `sp`: where the return address lay.
INLINE int leave_allocation(struct pt_regs *context, __u64 cookie, __u64 sp)
{
    __u32 slot = cookie >> COOKIE_SLOT;
    __u64 key = bpf_get_current_pid_tgid();
    struct thread *thread = bpf_map_lookup_elem(&THREADS, &key);
    // Calls that the allocator made itself return at a lower height.
    if (!thread || thread->sp == 0 || sp != thread->sp) return 0;
    thread->sp = 0;
    __u64 address = context->rax;
    if (thread->out) {
        if ((__u32)address != 0) return 0;
        address = 0;
        if (bpf_probe_read_user(&address, 8, (void *)thread->out)) {
            LOSE(slot, allocations);
            return 0;
        }
    }
    if (!address) {
        if (thread->resized && thread->size) {
            __u64 *record = bpf_ringbuf_reserve(&EVENTS, 3 * 8, 0);
            if (!record) {
                LOSE(slot, allocations);
                return 0;
            }
            record[0] = head(KIND_FAILED, thread->function, key, slot);
            record[1] = bpf_ktime_get_ns();
            record[2] = thread->resized;
            bpf_ringbuf_submit(record, QUIETLY);
        }
        return 0;
    }
    if (thread->passed) {
        // One that was told there before went with its heap.
        if (thread->heap) forget(slot, address);
        return 0;
    }
    if (cookie & COOKIE_GUARDED) {
        struct released_key gone = {.address = address, .slot = slot};
        bpf_map_delete_elem(&RELEASED, &gone);
    }
    if (thread->heap) return tell_heap_block(slot, key, thread, address);
    // The last eighth is for frees: an allocation that is not told is unknown, a free that is not told looks
    // like a leak.
    __u64 *record = 0;
    if (bpf_ringbuf_query(&EVENTS, BPF_RB_AVAIL_DATA) < ring_enough && remember(slot, address))
        record = bpf_ringbuf_reserve(&EVENTS, 5 * 8, 0);
    if (!record) {
        LOSE(slot, allocations);
        return 0;
    }
    record[0] = head(KIND_ALLOC, thread->function, key, slot);
    record[1] = bpf_ktime_get_ns();
    record[2] = address;
    record[3] = thread->size;
    record[4] = thread->stack;
    bpf_ringbuf_submit(record, QUIETLY);
    return 0;
}

// Whether this release was made by one that was told already: it has jumped here, or called from within an allocator.
// Nobody was given the address in between, so it is either that or a second free, which comes from elsewhere.
INLINE bool is_part_of_release(struct process *process, __u32 slot, __u64 thread, __u64 address, __u64 sp, __u64 caller,
                               __u64 function)
{
    struct released_key key = {.address = address, .slot = slot};
    struct released *before = bpf_map_lookup_elem(&RELEASED, &key);
    if (before && before->thread == thread && sp <= before->sp) {
        if (sp == before->sp && caller == before->caller && function != before->function) return true;
        struct mapping *mapping = mapping_of(process, caller - 1);
        if (sp < before->sp && mapping && mapping->flags & MAPPING_ALLOCATOR) return true;
    }
    struct released now = {.thread = thread, .sp = sp, .caller = caller, .function = function};
    bpf_map_update_elem(&RELEASED, &key, &now, BPF_ANY);
    return false;
}

INLINE int enter_release(struct pt_regs *context, __u64 cookie)
{
    __u32 slot = cookie >> COOKIE_SLOT;
    __u64 key = bpf_get_current_pid_tgid();
    __u8 shape = cookie >> COOKIE_SHAPE & 0xf;
    __u64 address = released(context, shape);
    if (!address) return 0;
    // With a heap go blocks that were told, whether it was or not.
    if (shape != SHAPE_WHOLE_HEAP && !was_told(slot, address)) return 0;
    struct process *process = find_process(slot);
    if (!process) {
        LOSE(slot, frees);
        return 0;
    }
    __u64 sp = context->rsp, caller = 0;
    bpf_probe_read_user(&caller, 8, (void *)sp);
    struct thread *thread = bpf_map_lookup_elem(&THREADS, &key);
    // What a resize frees was told when it began.
    if (thread && is_within(thread, process, sp, caller)) return 0;
    if (cookie & COOKIE_GUARDED && is_part_of_release(process, slot, key, address, sp, caller, cookie & 0xff)) return 0;
    forget(slot, address);
    // The C library frees once more what a thread that ends had put by for itself.
    if (caller >= process->own_start && caller < process->own_end && (thread = find_thread(key))) {
        read_window(thread, sp);
        __u64 stack = take_stack(thread, process, slot, sp, context->rbp, caller);
        tell_own_free(slot, key, cookie, address, stack);
        return 0;
    }
    __u64 heap = heap_of(context, shape);
    if (heap)
        tell_heap_free(slot, key, cookie, address, heap);
    else
        tell_free(slot, key, cookie, address);
    return 0;
}

INLINE int tell_map(struct pt_regs *context, __u64 cookie)
{
    __u64 *record = bpf_ringbuf_reserve(&EVENTS, 2 * 8, 0);
    if (!record) {
        LOSE(cookie >> COOKIE_SLOT, others);
        return 0;
    }
    record[0] = head(KIND_MAP, 0, bpf_get_current_pid_tgid(), cookie >> COOKIE_SLOT);
    record[1] = bpf_ktime_get_ns();
    bpf_ringbuf_submit(record, QUIETLY);
    return 0;
}

SEC("uprobe/allocation")
int allocation(struct pt_regs *context)
{
    return enter_allocation(context, bpf_get_attach_cookie(context));
}

SEC("uretprobe/allocated")
int allocated(struct pt_regs *context)
{
    return leave_allocation(context, bpf_get_attach_cookie(context), context->rsp - 8);
}

// On the instruction that returns: where a return probe would stand in the way of an exception.
SEC("uprobe/left")
int left(struct pt_regs *context)
{
    __u64 cookie = bpf_get_attach_cookie(context);
    if ((cookie >> COOKIE_SHAPE & 0xf) == SHAPE_WHOLE_HEAP) return leave_making(context, cookie);
    return leave_allocation(context, cookie, context->rsp);
}

SEC("uprobe/release")
int release(struct pt_regs *context)
{
    return enter_release(context, bpf_get_attach_cookie(context));
}

SEC("uprobe/map_changed")
int map_changed(struct pt_regs *context)
{
    return tell_map(context, bpf_get_attach_cookie(context));
}

#include "processes.h"
#include "growth.h"
