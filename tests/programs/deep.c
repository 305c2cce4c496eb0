/* Proves that stacks deeper than any limit are cut, not lost: 3,000 calls deep, one block at each
 * level; those at every 100th level stay: 30. */
#include <stdio.h>
#include <stdlib.h>

void *kept[30];

__attribute__((noinline)) static void descend(int level) {
    void *block = malloc(24);
    if (level < 3000) descend(level + 1);
    if (level % 100 == 0) kept[level / 100 - 1] = block;
    else free(block);
    __asm__ volatile("");
}

int main(void) {
    descend(1);
    printf("born=3000 freed=2970 kept=30\n");
    return 0;
}
