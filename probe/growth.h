// Who makes a process's memory grow: pages that are touched first, and memory that is mapped. Nothing sits in the
// process for it, and no other process's system calls take another way through the kernel, as they would if these were
// traced: tracepoints of faults, and of places for new memory.
#pragma once

static void *(*const bpf_get_current_task_btf)(void) = (void *)158;
static void *(*const bpf_task_pt_regs)(void *task) = (void *)175;

// The slot of the process that runs, if it is to be watched and its memory is known.
INLINE __u32 watched(__u64 key)
{
    __u32 *slot = followed(key >> 32);
    return slot && *slot != NO_SLOT && find_process(*slot) ? *slot : NO_SLOT;
}

INLINE __u64 user_stack(struct pt_regs *user, __u64 key, __u32 slot)
{
    struct process *process = find_process(slot);
    struct thread *thread = process ? find_thread(key) : 0;
    if (!thread) return 0;
    begin_walk(thread, process, slot, user->rip, user->rsp, user->rbp);
    thread->exact = 1;
    note(thread, TRUST_CONTEXT);
    read_window(thread, user->rsp);
    walk_on(thread, process);
    return tell_walk(thread, process, slot);
}

INLINE void tell_growth(__u8 what, __u64 key, __u32 slot, struct pt_regs *user, __u64 address, __u64 length)
{
    __u64 stack = user_stack(user, key, slot);
    __u64 *record = bpf_ringbuf_reserve(&EVENTS, 6 * 8, 0);
    if (!record) {
        LOSE(slot, others);
        return;
    }
    record[0] = head(KIND_GREW, what, key, slot);
    record[1] = bpf_ktime_get_ns();
    record[2] = address;
    record[3] = length;
    record[4] = stack;
    record[5] = user->rsp;
    bpf_ringbuf_submit(record, QUIETLY);
}

// The registers with which a thread entered the kernel, for whatever reason.
INLINE bool registers(struct pt_regs *into)
{
    return bpf_probe_read_kernel(into, sizeof *into, bpf_task_pt_regs(bpf_get_current_task_btf())) == 0;
}

// Of a page that is there a write to it is told, too: whoever reads all this looks which pages are new.
SEC("tracepoint/exceptions/page_fault_user")
int touched(void *context)
{
    __u64 key = bpf_get_current_pid_tgid(), address = 0;
    __u32 slot = watched(key);
    struct pt_regs user;
    if (slot == NO_SLOT || !registers(&user)) return 0;
    bpf_probe_read_kernel(&address, 8, context + fault_address_at);
    tell_growth(GREW_TOUCHED, key, slot, &user, address, 0);
    return 0;
}

// Where the kernel chose a place for new memory, which is nearly always.
SEC("tracepoint/mmap/vm_unmapped_area")
int mapped(void *context)
{
    __u64 key = bpf_get_current_pid_tgid(), address = 0, length = 0;
    __u32 slot = watched(key);
    struct pt_regs user;
    if (slot == NO_SLOT || !registers(&user)) return 0;
    bpf_probe_read_kernel(&address, 8, context + mapped_address_at);
    bpf_probe_read_kernel(&length, 8, context + mapped_length_at);
    tell_growth(GREW_MAPPED, key, slot, &user, address, length);
    return 0;
}
