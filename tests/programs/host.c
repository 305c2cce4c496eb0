/* Proves, with constructor_plugin.cpp, that a C program can load a C++ plug-in whose constructor
 * waits for a thread that allocates, and whose exceptions are its own. */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **arguments) {
    void *plugin = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    int (*run_out)(void) = NULL;
    if (plugin != NULL) *(void **)&run_out = dlsym(plugin, "run_out");
    if (run_out == NULL) return 2;
    printf("loaded=1 refused=%d\n", run_out());
    return 0;
}
