/* The library that `over_release.c plugin` loads: it allocates, and leaves freeing to its caller. */
#include <stdlib.h>

void *lend(size_t size) { return malloc(size); }
