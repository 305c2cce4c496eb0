/* A heap of as many MiB of small blocks as the argument says, in 64 lists, each hundredth block lost. Allocates no faster
 * than a tracer can follow; then writes its number, and an "a" for each byte of standard input. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct node {
    struct node *next;
    long content[5];
};

struct node *lists[64];

static __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) struct node *
held_or_lost(void)
{
    return malloc(sizeof(struct node));
}

int main(int count, char **arguments)
{
    /* With its header a block takes 64 bytes. */
    long blocks = count > 1 ? atol(arguments[1]) << 14 : 0;
    for (long i = 0; i < blocks; i++) {
        struct node *new = held_or_lost();
        if (i % 2000 == 0)
            usleep(700);
        for (int n = 0; n < 5; n++)
            new->content[n] = i * 77777 + n;
        new->next = lists[i % 64];
        if (i % 100)
            lists[i % 64] = new;
    }
    dprintf(STDOUT_FILENO, "%d\n", getpid());
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        if (write(STDOUT_FILENO, "a", 1) != 1)
            break;
    return 0;
}
