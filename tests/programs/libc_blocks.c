/* Proves that blocks the C library allocates and the program frees are blocks like any: ROUNDS
 * rounds of getline, getdelim, asprintf, strdup, strndup, open_memstream, realpath, getcwd, scandir,
 * opendir, getaddrinfo, regcomp, glob, fopen, setenv, tsearch. `libc_blocks ROUNDS`. One
 * strdup of 41 characters stays per round (42 bytes); what else stays does not depend on ROUNDS. */
#define _GNU_SOURCE
#include <dirent.h>
#include <glob.h>
#include <netdb.h>
#include <regex.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

static const char *TEXT = "forty-one characters and then the zero, .";
char *kept[10000];

static int compare(const void *a, const void *b) { return strcmp(a, b); }

static void lines(void) {
    char *line = NULL;
    size_t room = 0;
    FILE *file = fmemopen((void *)TEXT, strlen(TEXT), "r");
    if (getline(&line, &room, file) < 40) abort();
    rewind(file);
    while (getdelim(&line, &room, ' ', file) > 0) { }
    free(line);
    fclose(file);
}

static void strings(void) {
    char *text = NULL, *stream = NULL;
    size_t size = 0;
    if (asprintf(&text, "%s %1000d", TEXT, 7) < 1000) abort();
    free(text);
    free(strndup(TEXT, 5));
    free(wcsdup(L"wide"));
    FILE *file = open_memstream(&stream, &size);
    for (int i = 0; i < 500; i++) fprintf(file, "%s\n", TEXT);
    fclose(file);
    free(stream);
    setenv("UNFREED_TEST_OF_BLOCKS", TEXT, 1);
}

static void paths(void) {
    free(realpath("/usr/../usr/lib", NULL));
    free(getcwd(NULL, 0));
    DIR *directory = opendir("/");
    while (readdir(directory) != NULL) { }
    closedir(directory);
    struct dirent **entries;
    int count = scandir("/", &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) free(entries[i]);
    if (count >= 0) free(entries);
    glob_t found;
    if (glob("/u*", 0, NULL, &found) == 0) globfree(&found);
    FILE *file = fopen("/dev/null", "w");
    fputs(TEXT, file);
    fclose(file);
}

static void searches(void) {
    regex_t expression;
    if (regcomp(&expression, "(a|b)*c[d-f]{2,5}", REG_EXTENDED) != 0) abort();
    regexec(&expression, "abababcdef", 0, NULL, 0);
    regfree(&expression);
    struct addrinfo *addresses, hints = {.ai_flags = AI_NUMERICHOST};
    if (getaddrinfo("127.0.0.1", "25", &hints, &addresses) == 0) freeaddrinfo(addresses);
    void *root = NULL;
    tsearch("b", &root, compare);
    tsearch("a", &root, compare);
    tdelete("b", &root, compare);
    tdelete("a", &root, compare);
}

int main(int count, char **arguments) {
    int rounds = count == 2 ? atoi(arguments[1]) : 0;
    for (int i = 0; i < rounds; i++) {
        lines(), strings(), paths(), searches();
        kept[i] = strdup(TEXT);
    }
    printf("kept=%d\n", rounds);
    return 0;
}
