// Windows' heaps, in processes under Wine: blocks are told with the heap that they are of.
#pragma once

// What a release takes back.
INLINE __u64 released(struct pt_regs *context, __u8 shape)
{
    __u64 first = context->rdi, heap = context->rcx, block = context->r8;
    SETTLE(first);
    SETTLE(heap);
    SETTLE(block);
    return shape == SHAPE_HEAP_FREE ? block : shape == SHAPE_WHOLE_HEAP ? heap : first;
}

// The heap that a block is of; 0 where there is but one.
INLINE __u64 heap_of(struct pt_regs *context, __u8 shape)
{
    __u64 heap = context->rcx;
    SETTLE(heap);
    return shape >= SHAPE_HEAP && shape <= SHAPE_HEAP_FREE ? heap : 0;
}

INLINE void tell_heap_free(__u32 slot, __u32 thread, __u8 function, __u64 address, __u64 heap)
{
    __u64 *record = bpf_ringbuf_reserve(&EVENTS, 4 * 8, 0);
    if (!record) {
        LOSE(slot, frees);
        return;
    }
    record[0] = head(KIND_HEAP_FREE, function, thread, slot);
    record[1] = bpf_ktime_get_ns();
    record[2] = address;
    record[3] = heap;
    bpf_ringbuf_submit(record, QUIETLY);
}

INLINE int tell_heap_block(__u32 slot, __u32 key, struct thread *thread, __u64 address)
{
    __u64 *record = 0;
    if (bpf_ringbuf_query(&EVENTS, BPF_RB_AVAIL_DATA) < ring_enough && remember(slot, address))
        record = bpf_ringbuf_reserve(&EVENTS, 6 * 8, 0);
    if (!record) {
        LOSE(slot, allocations);
        return 0;
    }
    record[0] = head(KIND_HEAP_ALLOC, thread->function, key, slot);
    record[1] = bpf_ktime_get_ns();
    record[2] = address;
    record[3] = thread->size;
    record[4] = thread->stack;
    record[5] = thread->heap;
    bpf_ringbuf_submit(record, QUIETLY);
    return 0;
}

// A heap was made, and its maker's stack is as it was at the entry. What it takes of other heaps for itself is theirs.
INLINE int leave_making(struct pt_regs *context, __u64 cookie)
{
    __u32 slot = cookie >> COOKIE_SLOT;
    __u64 key = bpf_get_current_pid_tgid(), heap = context->rax, caller = 0;
    struct process *process = find_process(slot);
    struct thread *thread = find_thread(key);
    if (!heap) return 0;
    if (!process || !thread) {
        LOSE(slot, allocations);
        return 0;
    }
    // In a sample it is a block of no bytes.
    if (passes(thread, 0)) return 0;
    bpf_probe_read_user(&caller, 8, (void *)context->rsp);
    __u64 stack = take_stack(thread, process, slot, context->rsp, context->rbp, caller);
    if (stack == 0) LOSE(slot, stacks);
    __u64 *record = bpf_ringbuf_reserve(&EVENTS, 5 * 8, 0);
    if (!record) {
        LOSE(slot, allocations);
        return 0;
    }
    record[0] = head(KIND_ALLOC, cookie, key, slot);
    record[1] = bpf_ktime_get_ns();
    record[2] = heap;
    record[3] = 0;
    record[4] = stack;
    bpf_ringbuf_submit(record, QUIETLY);
    return 0;
}
