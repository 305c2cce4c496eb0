/* Lets whoever wants to attach to a program do so before its main: linked in or preloaded, it makes the file
 * GATE.up, GATE being what UNFREED_TEST_GATE says, and waits for a byte from the pipe GATE. Only in a program of the
 * name UNFREED_TEST_GATE_ONLY, if that is set. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void gate(void) {
    const char *path = getenv("UNFREED_TEST_GATE");
    const char *only = getenv("UNFREED_TEST_GATE_ONLY");
    char up[4096], byte;
    if (path == NULL || strlen(path) > sizeof up - 4) return;
    if (only != NULL && strcmp(only, program_invocation_short_name) != 0) return;
    strcpy(up, path);
    strcat(up, ".up");
    int made = open(up, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int gate = open(path, O_RDONLY | O_CLOEXEC);
    if (made < 0 || gate < 0 || read(gate, &byte, 1) != 1) _exit(98);
    close(made);
    close(gate);
    /* What it starts is not held. */
    unsetenv("UNFREED_TEST_GATE");
}
