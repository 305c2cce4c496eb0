/* Proves that an exit status passes: allocates 10 blocks, frees 9, exits with 3. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    void *blocks[10];
    for (int i = 0; i < 10; i++) blocks[i] = malloc(100 + i);
    for (int i = 0; i < 9; i++) free(blocks[i]);
    printf("allocated=10 freed=9\n");
    return 3;
}
