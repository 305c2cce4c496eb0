// Beginnings and ends of processes and threads.
#pragma once

// Where a followed process is in our tables; a null pointer for all others.
INLINE __u32 *followed(__u32 pid)
{
    return bpf_map_lookup_elem(&FOLLOWED, &pid);
}

SEC("tracepoint/sched/sched_process_fork")
int forked(void *context)
{
    __u32 parent = bpf_get_current_pid_tgid() >> 32, child = 0, none = NO_SLOT;
    if (!followed(parent)) return 0;
    bpf_probe_read_kernel(&child, 4, context + fork_child_at);
    // So that what it executes is told, however soon. (If it is a thread that does no harm.)
    if (bpf_map_update_elem(&FOLLOWED, &child, &none, BPF_NOEXIST)) LOSE(0, others);
    __u64 *record = bpf_ringbuf_reserve(&EVENTS, 3 * 8, 0);
    if (!record) {
        LOSE(0, others);
        return 0;
    }
    record[0] = head(KIND_FORK, 0, bpf_get_current_pid_tgid(), 0);
    record[1] = bpf_ktime_get_ns();
    record[2] = (__u64)parent << 32 | child;
    bpf_ringbuf_submit(record, QUIETLY);
    return 0;
}

SEC("tracepoint/sched/sched_process_exec")
int executed(void *context)
{
    __u64 key = bpf_get_current_pid_tgid();
    __u32 pid = key >> 32;
    __u32 *slot = followed(pid);
    if (!slot && !tell_executions) return 0;
    struct process *process = slot && *slot != NO_SLOT ? find_process(*slot) : 0;
    if (process) {
        // The probes stay on files that the new program maps too. Nothing that was known of its memory is true.
        process->count = 0;
        process->generation |= GENERATION_EXECUTED;
    }
    bpf_map_delete_elem(&THREADS, &key);
    __u64 *record = bpf_ringbuf_reserve(&EVENTS, 5 * 8, 0);
    if (!record) {
        LOSE(0, others);
        return 0;
    }
    record[0] = head(KIND_EXEC, 0, pid, slot ? *slot : 0);
    record[1] = bpf_ktime_get_ns();
    record[2] = pid;
    bpf_get_current_comm(record + 3, 16);
    bpf_ringbuf_submit(record, QUIETLY);
    return 0;
}

SEC("tracepoint/sched/sched_process_exit")
int exited(void *context)
{
    __u64 key = bpf_get_current_pid_tgid();
    __u32 pid = key >> 32, thread = key;
    __u32 *slot = followed(pid);
    if (!slot) return 0;
    bpf_map_delete_elem(&THREADS, &key);
    if (thread != pid) bpf_map_delete_elem(&FOLLOWED, &thread);
    __u64 *record = bpf_ringbuf_reserve(&EVENTS, 3 * 8, 0);
    if (!record) {
        LOSE(0, others);
        return 0;
    }
    record[0] = head(KIND_EXIT, 0, thread, *slot);
    record[1] = bpf_ktime_get_ns();
    record[2] = pid;
    bpf_ringbuf_submit(record, QUIETLY);
    return 0;
}
