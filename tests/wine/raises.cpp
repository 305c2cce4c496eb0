// Asks for more than there is, of a heap that raises an exception then, and catches that.
#include "program.h"

#define HEAP_GENERATE_EXCEPTIONS 4

static int caught;

static PLAIN void *ask(SIZE size)
{
    return kept(HeapAlloc(GetProcessHeap(), HEAP_GENERATE_EXCEPTIONS, size));
}

static PLAIN void work(int round)
{
    __try {
        ask(1ull << 46);
    } __except (1) {
        caught++;
    }
    void *block = ask(100);
    HeapFree(GetProcessHeap(), 0, block);
    if (caught == round + 1 && caught == ROUNDS) say("caught all\n", 11);
}
