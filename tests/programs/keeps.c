/* Keeps blocks in the ways that a tracer must tell apart, ROUNDS times, about one a millisecond:
 * `lose` loses one of 40 bytes; `sometimes` makes ten of 72 and loses one; `remember` keeps the last 200 and frees
 * the oldest; `hold` frees each after 20 rounds; `churn` frees at once; `start` keeps 50 from the beginning on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLAIN __attribute__((noinline, noclone))

/* Where the compiler cannot see that a block is not used. */
static void *volatile used;

static PLAIN void *make(size_t size)
{
    void *block = malloc(size);
    memset(block, 1, size);
    used = block;
    return block;
}

static PLAIN void lose(void)
{
    used = malloc(40);
    *(volatile char *)used = 1;
}

static PLAIN void sometimes(int round)
{
    void *blocks[10];
    for (int i = 0; i < 10; i++)
        used = blocks[i] = malloc(72);
    for (int i = 0; i < 10; i++)
        if (i != round % 10)
            free(blocks[i]);
}

static PLAIN void remember(int round)
{
    static void *last[200];
    free(last[round % 200]);
    used = last[round % 200] = malloc(100 + round % 3 * 50);
}

static PLAIN void hold(int round)
{
    static void *held[20];
    free(held[round % 20]);
    used = held[round % 20] = malloc(64);
}

static PLAIN void churn(int round)
{
    for (int i = 0; i < 5; i++)
        free(make(16 + (round + i) % 7 * 16));
}

static PLAIN void start(void)
{
    for (int i = 0; i < 50; i++)
        used = malloc(500);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 3000;
    struct timespec pause = {0, 1000000};
    start();
    for (int round = 0; round < rounds; round++) {
        lose();
        sometimes(round);
        remember(round);
        hold(round);
        churn(round);
        nanosleep(&pause, NULL);
    }
    puts("done");
    return 0;
}
