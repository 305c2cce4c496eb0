/* What the benchmark of the agent measures: blocks allocated at a chosen depth of the stack by one
 * or by 1,024 functions, and given back at once, later, by another thread, or never. Measures
 * itself by each thread's own processor time, after a warm-up, and prints what it took.
 *
 *     pairs MIX DEPTH THREADS PAIRS SEED [hold]
 *
 * MIX is one-site (freed at once), mixed (30 % of frees by another thread, 10 % never, the rest
 * after a while) or survivors (never freed). With `hold` it then waits for SIGTERM, its threads
 * alive, so that its memory can be looked at. */

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

/* 1,024 functions that allocate. Each carries its own text, or the compiler would make one of them;
 * the empty assembly after the call keeps it from becoming a jump, which would hide the frame. */
#define EACH1(M, n) M(n##0) M(n##1) M(n##2) M(n##3)
#define EACH2(M, n) EACH1(M, n##0) EACH1(M, n##1) EACH1(M, n##2) EACH1(M, n##3)
#define EACH3(M, n) EACH2(M, n##0) EACH2(M, n##1) EACH2(M, n##2) EACH2(M, n##3)
#define EACH4(M, n) EACH3(M, n##0) EACH3(M, n##1) EACH3(M, n##2) EACH3(M, n##3)
#define EACH5(M, n) EACH4(M, n##0) EACH4(M, n##1) EACH4(M, n##2) EACH4(M, n##3)
#define DEFINE(n)                                                                                  \
    NOINLINE static void *site_##n(size_t size) {                                                  \
        void *block = malloc(size);                                                                \
        __asm__ volatile("# " #n : "+r"(block));                                                   \
        return block;                                                                              \
    }
#define NAME(n) site_##n,
EACH5(DEFINE, x)

typedef void *(*Site)(size_t);
static const Site SITES[] = {EACH5(NAME, x)};
enum { SITE_COUNT = sizeof SITES / sizeof *SITES };
_Static_assert(SITE_COUNT >= 1000, "as many sites as promised");

enum { MOST_THREADS = 256, WINDOW = 64, BATCH = 1024, BATCHES = 4 };

enum mix { ONE_SITE, MIXED, SURVIVORS };

static enum mix mix;
static unsigned depth;
static unsigned threads;
static uint64_t pairs;
static uint64_t seed;
static pthread_barrier_t warm, done;

/* Blocks on their way to the thread that frees them, in batches, so that the lock costs little. */
struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *blocks[BATCHES][BATCH];
    unsigned counts[BATCHES];
    unsigned head, tail;
    int closed;
};

static struct inbox inboxes[MOST_THREADS + 1];

struct worker {
    unsigned number;
    uint64_t dice;
    void *window[WINDOW];
    void *batch[BATCH];
    unsigned batched;
    uint64_t survivors;
    uint64_t nanoseconds;
};

static struct worker workers[MOST_THREADS + 1];

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t roll(uint64_t *dice) {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    return *dice * 0x2545f4914f6cdd1du >> 32;
}

/* The frames between. One function that calls itself, as other measurements have it ... */
NOINLINE static void *descend(unsigned below, Site site, size_t size) {
    void *block = below ? descend(below - 1, site, size) : site(size);
    __asm__ volatile("" : "+r"(block));
    return block;
}

/* ... or 64 functions, so that no two frames of a stack have the same return address, as in most
 * programs. */
typedef void *(*Level)(unsigned, Site, size_t);
enum { MOST_LEVELS = 64 };
static const Level LEVELS[MOST_LEVELS];
#define LEVEL(n)                                                                                   \
    NOINLINE static void *level_##n(unsigned below, Site site, size_t size) {                      \
        void *block = below ? LEVELS[below - 1](below - 1, site, size) : site(size);               \
        __asm__ volatile("# " #n : "+r"(block));                                                   \
        return block;                                                                              \
    }
#define LEVEL_NAME(n) level_##n,
EACH3(LEVEL, x)
static const Level LEVELS[MOST_LEVELS] = {EACH3(LEVEL_NAME, x)};

static void *allocate(Site site, size_t size) {
    Level level = mix == ONE_SITE ? descend : LEVELS[depth - 1];
    void *block = level(depth - 1, site, size);
    if (!block) abort();
    *(volatile char *)block = 1;
    return block;
}

/* Frees what has come; where nothing has and `wait` is set, waits. Whether more may come. */
static int take(struct inbox *inbox, int wait) {
    void *blocks[BATCH];
    for (;;) {
        pthread_mutex_lock(&inbox->lock);
        while (wait && inbox->head == inbox->tail && !inbox->closed)
            pthread_cond_wait(&inbox->changed, &inbox->lock);
        if (inbox->head == inbox->tail) {
            int open = !inbox->closed;
            pthread_mutex_unlock(&inbox->lock);
            return open;
        }
        unsigned slot = inbox->tail++ % BATCHES;
        unsigned count = inbox->counts[slot];
        memcpy(blocks, inbox->blocks[slot], count * sizeof *blocks);
        pthread_cond_broadcast(&inbox->changed);
        pthread_mutex_unlock(&inbox->lock);
        for (unsigned i = 0; i < count; i++) free(blocks[i]);
        wait = 0;
    }
}

/* To whom a worker hands its blocks: the next worker, or the one thread that only frees. */
static unsigned receiver(unsigned number) {
    return threads == 1 ? 1 : (number + 1) % threads;
}

static void hand_over(struct worker *worker) {
    struct inbox *inbox = &inboxes[receiver(worker->number)];
    for (;;) {
        /* First one's own, so that two workers never wait for each other. */
        if (threads > 1) take(&inboxes[worker->number], 0);
        pthread_mutex_lock(&inbox->lock);
        if (inbox->head - inbox->tail < BATCHES) break;
        pthread_cond_wait(&inbox->changed, &inbox->lock);
        if (inbox->head - inbox->tail < BATCHES) break;
        pthread_mutex_unlock(&inbox->lock);
    }
    unsigned slot = inbox->head++ % BATCHES;
    memcpy(inbox->blocks[slot], worker->batch, worker->batched * sizeof *worker->batch);
    inbox->counts[slot] = worker->batched;
    pthread_cond_broadcast(&inbox->changed);
    pthread_mutex_unlock(&inbox->lock);
    worker->batched = 0;
}

static void one_site(uint64_t count) {
    for (uint64_t i = 0; i < count; i++) free(allocate(SITES[0], 24 + i % 16 * 8));
}

static void many_sites(struct worker *worker, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        uint64_t random = roll(&worker->dice);
        unsigned site = random % SITE_COUNT;
        unsigned fate = mix == SURVIVORS ? 0 : random / SITE_COUNT % 100;
        void *block = allocate(SITES[site], 24 + site % 16 * 8);
        if (fate < 10) {
            worker->survivors++;
        } else if (fate < 37) {
            /* 27 of the 90 that are freed: 30 % of the frees. */
            worker->batch[worker->batched++] = block;
            if (worker->batched == BATCH) hand_over(worker);
        } else {
            void **place = &worker->window[random >> 20 & (WINDOW - 1)];
            free(*place);
            *place = block;
        }
    }
}

static void work(struct worker *worker, uint64_t count) {
    if (mix == ONE_SITE) one_site(count);
    else many_sites(worker, count);
}

static void set_closed(struct inbox *inbox, int closed) {
    pthread_mutex_lock(&inbox->lock);
    inbox->closed = closed;
    pthread_cond_broadcast(&inbox->changed);
    pthread_mutex_unlock(&inbox->lock);
}

/* Gives back all that is to be given back, and takes all that others still send. */
static void settle(struct worker *worker) {
    if (mix != MIXED) return;
    for (unsigned i = 0; i < WINDOW; i++) {
        free(worker->window[i]);
        worker->window[i] = NULL;
    }
    if (worker->batched) hand_over(worker);
    set_closed(&inboxes[receiver(worker->number)], 1);
    while (threads > 1 && take(&inboxes[worker->number], 1)) {}
}

/* All threads at once: the warm-up is over. */
static void begin(struct worker *worker) {
    pthread_barrier_wait(&warm);
    set_closed(&inboxes[worker->number], 0);
    pthread_barrier_wait(&warm);
}

/* The thread is there until the process ends, and what a tracer keeps for it. */
static void stay(void) {
    pthread_barrier_wait(&done);
    for (;;) pause();
}

static void *run_worker(void *argument) {
    struct worker *worker = argument;
    work(worker, pairs / 10);
    settle(worker);
    begin(worker);
    worker->survivors = 0;
    uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    work(worker, pairs);
    settle(worker);
    worker->nanoseconds = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
    stay();
    return NULL;
}

static void *run_freer(void *argument) {
    struct worker *worker = argument;
    struct inbox *inbox = &inboxes[worker->number];
    while (take(inbox, 1)) {}
    begin(worker);
    uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    while (take(inbox, 1)) {}
    worker->nanoseconds = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
    stay();
    return NULL;
}

int main(int count, char **words) {
    if (count < 6) return 2;
    mix = !strcmp(words[1], "one-site") ? ONE_SITE : !strcmp(words[1], "mixed") ? MIXED : SURVIVORS;
    depth = (unsigned)atoi(words[2]);
    threads = (unsigned)atoi(words[3]);
    pairs = strtoull(words[4], NULL, 10);
    seed = strtoull(words[5], NULL, 10);
    if (!depth || depth > MOST_LEVELS || !threads || threads > MOST_THREADS) return 2;

    sigset_t terminate;
    sigemptyset(&terminate);
    sigaddset(&terminate, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &terminate, NULL);

    unsigned all = threads + (threads == 1 && mix == MIXED);
    pthread_barrier_init(&warm, NULL, all);
    pthread_barrier_init(&done, NULL, all + 1);
    for (unsigned i = 0; i < all; i++) {
        workers[i].number = i;
        workers[i].dice = (seed + i + 1) * 0x9e3779b97f4a7c15u | 1;
        pthread_mutex_init(&inboxes[i].lock, NULL);
        pthread_cond_init(&inboxes[i].changed, NULL);
    }
    for (unsigned i = 0; i < all; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, i < threads ? run_worker : run_freer, &workers[i])) return 2;
    }
    pthread_barrier_wait(&done);

    uint64_t nanoseconds = 0, survivors = 0;
    for (unsigned i = 0; i < all; i++) {
        nanoseconds += workers[i].nanoseconds;
        survivors += workers[i].survivors;
    }
    printf("pairs=%llu thread_ns=%llu survivors=%llu process_ns=%llu pid=%d ready\n",
           (unsigned long long)(pairs * threads), (unsigned long long)nanoseconds,
           (unsigned long long)survivors, (unsigned long long)clock_ns(CLOCK_PROCESS_CPUTIME_ID),
           (int)getpid());
    fflush(stdout);
    if (count > 6) {
        int signal;
        sigwait(&terminate, &signal);
    }
    return 0;
}
