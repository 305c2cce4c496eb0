/* A small server with one behaviour of interest, for holding tools against each other:
 *
 *     behaviours BEHAVIOUR SECONDS [tidy]
 *
 * It serves 200 requests a second. Whatever its behaviour, it reads a configuration at its start, serves (blocks that die
 * at once), has sessions that come and go, and keeps what was asked for recently. The labels are in the functions'
 * names: what `leaks_...` allocates is never freed while it runs, and more and more of it stays, whether or not something
 * still refers to it; what `keeps_...` allocates does not stay, or stays within bounds. In the end it exits as it is, or,
 * tidy, frees all that it refers to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RATE 200
#define PLACES 4096

/* Written and read by no optimiser's leave. */
static void *volatile places[PLACES];
static void *volatile configuration[300];
static void *volatile sessions[40];
static void *volatile recent[60];
static void *volatile forgotten;
static void *volatile list;

static unsigned long state = 88172645463325252UL;

/* Marsaglia's xorshift. */
static unsigned long below(unsigned long bound) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % bound;
}

static void replace(void *volatile *place, void *block) {
    free(*place);
    *place = block;
}

/* Requests so far, and in all. */
static unsigned long now, last;

static void keeps_configuration(void) {
    for (int i = 0; i < 300; i++)
        configuration[i] = malloc(24 + below(200));
}

static void keeps_nothing(void) {
    char *request = malloc(100 + below(400));
    memset(request, 1, 100);
    free(request);
}

static void keeps_sessions(void) {
    if (below(20) == 0)
        replace(&sessions[below(40)], malloc(600));
}

static void keeps_recent(void) {
    if (below(5) == 0)
        replace(&recent[below(60)], malloc(80));
}

/* 20 a second, and nothing refers to them. */
static void leaks_evenly(void) {
    if (now % 10 == 0)
        forgotten = malloc(100);
}

/* 20 a second, in a list that only grows. */
static void leaks_into_a_list(void) {
    if (now % 10 == 0) {
        void **node = malloc(100);
        node[0] = list;
        list = node;
    }
}

/* Every request has one; of one in 50, on average, it is not freed. */
static void leaks_rarely(void) {
    void *block = malloc(64);
    if (below(50) == 0)
        forgotten = block;
    else
        free(block);
}

/* The block that realloc gave is dropped: only the old address was kept. */
static void leaks_what_grew(void) {
    if (now % 10 == 0) {
        void *block = malloc(40);
        forgotten = realloc(block, 3000);
    }
}

/* Two that count each other's uses. */
static void leaks_in_pairs(void) {
    if (now % 20 == 0) {
        void **one = malloc(48), **other = malloc(48);
        one[0] = other;
        other[0] = one;
    }
    forgotten = NULL;
}

/* As leaks_evenly, but not before 40 % of the time. */
static void leaks_later(void) {
    if (now > last * 2 / 5 && now % 10 == 0)
        forgotten = malloc(100);
}

/* A name for each session, some of which close without freeing it. */
static void leaks_with_sessions(void) {
    if (now % 7 != 0)
        return;
    void *volatile *place = &places[below(30)];
    if (below(3) > 0)
        free(*place);
    *place = malloc(32);
}

/* 100 entries; then one is evicted at random. */
static void keeps_a_cache(void) {
    if (now % 4 == 0)
        replace(&places[below(100)], malloc(120));
}

/* 50 a second for four seconds each. */
static void keeps_for_a_time(void) {
    if (now % 4 == 0)
        replace(&places[now / 4 % 200], malloc(120));
}

/* Fills at an even pace for 60 % of the time, then it is full. */
static void keeps_what_fills(void) {
    if (now % 10 == 0 && now < last * 3 / 5)
        places[now / 10] = malloc(120);
}

/* The same, but it is not full when the observation ends: nobody can know that it will be. */
static void keeps_filling(void) {
    if (now % 10 == 0)
        places[now / 10] = malloc(120);
}

/* As many as were in use at once, used again: the peak grows by chance, ever more rarely. */
static void keeps_a_pool(void) {
    static unsigned long in_use, made;
    if (below(2) == 0) {
        if (in_use == made)
            places[made++] = malloc(500);
        in_use++;
    } else if (in_use > 0) {
        in_use--;
    }
}

/* Each waits for two seconds. */
static void keeps_a_queue(void) {
    replace(&places[now % 400], malloc(90));
}

/* Gathers for four seconds, then frees all. */
static void keeps_a_batch(void) {
    if (now % 4 == 0)
        places[now / 4 % 200] = malloc(90);
    if (now % 800 == 799)
        for (int i = 0; i < 200; i++)
            replace(&places[i], NULL);
}

/* 40 tables, each made when it is first asked for. */
static void keeps_lazily(void) {
    void *volatile *place = &places[below(40) * below(40) / 39];
    if (*place == NULL && below(10) == 0)
        *place = malloc(900);
}

static const struct {
    const char *name;
    void (*act)(void);
} behaviours[] = {
    {"leaks_evenly", leaks_evenly},
    {"leaks_into_a_list", leaks_into_a_list},
    {"leaks_rarely", leaks_rarely},
    {"leaks_what_grew", leaks_what_grew},
    {"leaks_in_pairs", leaks_in_pairs},
    {"leaks_later", leaks_later},
    {"leaks_with_sessions", leaks_with_sessions},
    {"keeps_a_cache", keeps_a_cache},
    {"keeps_for_a_time", keeps_for_a_time},
    {"keeps_what_fills", keeps_what_fills},
    {"keeps_filling", keeps_filling},
    {"keeps_a_pool", keeps_a_pool},
    {"keeps_a_queue", keeps_a_queue},
    {"keeps_a_batch", keeps_a_batch},
    {"keeps_lazily", keeps_lazily},
};

static void free_all(void *volatile *from, int count) {
    for (int i = 0; i < count; i++)
        replace(&from[i], NULL);
}

static void tidy(void) {
    free_all(places, PLACES);
    free_all(configuration, 300);
    free_all(sessions, 40);
    free_all(recent, 60);
    for (void **node = list; node != NULL;) {
        void **next = node[0];
        free(node);
        node = next;
    }
    list = NULL;
}

int main(int argc, char **argv) {
    void (*act)(void) = NULL;
    for (unsigned i = 0; argc >= 3 && i < sizeof behaviours / sizeof *behaviours; i++)
        if (strcmp(argv[1], behaviours[i].name) == 0)
            act = behaviours[i].act;
    if (act == NULL) {
        fprintf(stderr, "behaviours BEHAVIOUR SECONDS [tidy]\n");
        return 2;
    }
    last = strtoul(argv[2], NULL, 10) * RATE;
    keeps_configuration();
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (now = 0; now < last; now++) {
        keeps_nothing();
        keeps_sessions();
        keeps_recent();
        act();
        due.tv_nsec += 1000000000 / RATE;
        if (due.tv_nsec >= 1000000000) {
            due.tv_nsec -= 1000000000;
            due.tv_sec++;
        }
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) != 0) {
        }
    }
    if (argc > 3)
        tidy();
    return 0;
}
