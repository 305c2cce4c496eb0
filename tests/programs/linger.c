/* Linked statically: proves that a program which cannot be traced is noticed when another one
 * becomes it. It lives for a quarter of a second, as anything that could leak does. */
#include <stdio.h>
#include <time.h>

int main(void) {
    struct timespec quarter = {0, 250 * 1000 * 1000};
    nanosleep(&quarter, NULL);
    printf("lingered=1\n");
    return 0;
}
