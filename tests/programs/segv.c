/* Proves that death by a signal passes: keeps 5 blocks, then dies of a real SIGSEGV. */
#include <stdio.h>
#include <stdlib.h>

void *kept[5];

int main(void) {
    for (int i = 0; i < 5; i++) kept[i] = malloc(64);
    puts("kept=5");
    fflush(stdout);
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
    return 0;
}
