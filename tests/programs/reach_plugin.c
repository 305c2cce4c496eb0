/* Keeps blocks in data of its own. */
#include <stdlib.h>

void *kept[10];

__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))
static void *held_by_plugin(void) { return malloc(40); }

void keep(void)
{
    for (int i = 0; i < 10; i++)
        kept[i] = held_by_plugin();
}
