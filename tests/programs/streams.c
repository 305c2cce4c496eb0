/* Proves that the standard streams stay the program's: copies standard input to standard output
 * after a fixed line with a NUL byte in it and no newline at its end, writes a fixed line to
 * standard error, and prints nothing else. Exits with 0. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    static const char out[] = "out\0 bytes";
    fwrite(out, 1, sizeof out - 1, stdout);
    fputs("err bytes\n", stderr);
    char *buffer = malloc(4096);
    size_t count;
    while ((count = fread(buffer, 1, 4096, stdin)) > 0) fwrite(buffer, 1, count, stdout);
    free(buffer);
    return fflush(stdout) == 0 ? 0 : 1;
}
