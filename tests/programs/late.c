/* Proves that a plug-in that is loaded after unfreed attached is walked through: loads the one it is given, has it
 * allocate 1,000 blocks of 73 bytes over two seconds, and keeps them. */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

int main(int count, char **arguments) {
    void *plugin = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    void (*keep)(void) = NULL;
    if (plugin != NULL) *(void **)&keep = dlsym(plugin, "keep");
    if (keep == NULL) return 2;
    for (int i = 0; i < 1000; i++) {
        keep();
        usleep(2000);
    }
    return 0;
}
