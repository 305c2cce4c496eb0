/* Proves, with constructor_plugin.cpp, that a C program can load a C++ plug-in whose constructor
 * waits for a thread that allocates. */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **arguments) {
    void *plugin = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    if (plugin == NULL) return 2;
    printf("loaded=1\n");
    return 0;
}
