/* A busy program for the dashboard to watch: it replaces the oldest of its live blocks, so many times a second, from so many
 * different stacks, for so many seconds, and then prints how many blocks it replaced. Its live blocks are never more than at
 * the start but for one leak: 64 KiB a second, one block each. A block is live long enough to be told one by one where
 * live / rate is over a tenth of a second.
 *
 *     busy LIVE RATE STACKS SECONDS */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEPTH = 12, BURST_PER_S = 250, LEAKED = 64 << 10 };

static void *left(unsigned site, int depth);
static void *right(unsigned site, int depth);

__attribute__((noinline)) static void *take(unsigned site) {
    size_t size = 16 + site % 61 * 8;
    char *block = malloc(size);
    if (block != NULL) block[0] = 1;
    return block;
}

/* Each bit of a site's number is a turn on the way to its allocation. */
static void *turn(unsigned site, int depth) {
    if (depth == 0) return take(site);
    return (site >> (depth - 1)) & 1 ? right(site, depth - 1) : left(site, depth - 1);
}

__attribute__((noinline)) static void *left(unsigned site, int depth) {
    void *block = turn(site, depth);
    __asm__ volatile("" ::: "memory");
    return block;
}

__attribute__((noinline)) static void *right(unsigned site, int depth) {
    void *block = turn(site, depth);
    __asm__ volatile("nop" ::: "memory");
    return block;
}

__attribute__((noinline)) static void leak(void) {
    char *block = malloc(LEAKED);
    if (block != NULL) block[0] = 1;
}

int main(int count, char **arguments) {
    if (count < 5) return 2;
    size_t live = strtoull(arguments[1], NULL, 10);
    uint64_t rate = strtoull(arguments[2], NULL, 10);
    unsigned stacks = (unsigned)strtoul(arguments[3], NULL, 10);
    uint64_t seconds = strtoull(arguments[4], NULL, 10);
    if (live == 0 || stacks == 0 || stacks > 1u << DEPTH) return 2;
    void **blocks = calloc(live, sizeof *blocks);
    if (blocks == NULL) return 2;

    uint64_t replaced = 0, dice = 0x9e3779b97f4a7c15u;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (uint64_t burst = 0; burst < seconds * BURST_PER_S; burst++) {
        for (uint64_t n = 0; n < rate / BURST_PER_S; n++, replaced++) {
            dice = dice * 6364136223846793005u + 1442695040888963407u;
            void **at = &blocks[replaced % live];
            free(*at);
            *at = turn((unsigned)(dice >> 33) % stacks, DEPTH);
        }
        if (burst % BURST_PER_S == 0) leak();
        next.tv_nsec += 1000000000 / BURST_PER_S;
        if (next.tv_nsec >= 1000000000) {
            next.tv_nsec -= 1000000000;
            next.tv_sec++;
        }
        /* Where it could not keep up it does not try to catch up. */
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > next.tv_sec + 1) next = now;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    printf("replaced=%llu\n", (unsigned long long)replaced);
    return 0;
}
