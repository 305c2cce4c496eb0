// What the probe needs of the kernel, so that it builds with nothing but the kernel's public headers.
#pragma once

#include <asm/ptrace.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define SEC(name) __attribute__((section(name), used))
// What is seldom needed, out of the way.
#define ASIDE static __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

// Keeps the compiler from making of a value what the verifier cannot follow: a choice between registers by address, a
// bound that is checked of one copy and relied on for another.
#define SETTLE(value) asm volatile("" : "+r"(value))

// Definitions of maps, as BTF carries them to the loader.
#define UINT(name, value) int (*name)[value]
#define TYPE(name, value) typeof(value) *name

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static __u32 (*const bpf_get_prandom_u32)(void) = (void *)7;
static __u64 (*const bpf_get_current_pid_tgid)(void) = (void *)14;
static long (*const bpf_get_current_comm)(void *into, __u32 size) = (void *)16;
static long (*const bpf_probe_read_user)(void *into, __u32 size, const void *from) = (void *)112;
static long (*const bpf_probe_read_kernel)(void *into, __u32 size, const void *from) = (void *)113;
static long (*const bpf_ringbuf_output)(void *ring, void *data, __u64 size, __u64 flags) = (void *)130;
static void *(*const bpf_ringbuf_reserve)(void *ring, __u64 size, __u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *data, __u64 flags) = (void *)132;
static __u64 (*const bpf_ringbuf_query)(void *ring, __u64 flags) = (void *)134;
static __u64 (*const bpf_get_attach_cookie)(void *context) = (void *)174;
static long (*const bpf_for_each_map_elem)(void *map, void *callback, void *context, __u64 flags) = (void *)164;
static long (*const bpf_loop)(__u32 times, void *callback, void *context, __u64 flags) = (void *)181;
