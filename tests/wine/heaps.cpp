// Heaps of its own, blocks in which are freed with their heap; critical sections that are deleted; one block in a
// hundred that is forgotten.
#include "program.h"

static PLAIN void use_heap()
{
    HANDLE heap = HeapCreate(0, 0, 0);
    for (int block = 0; block < 5; block++) kept(HeapAlloc(heap, 0, 64));
    HeapDestroy(heap);
}

static PLAIN void use_section()
{
    char section[40];
    InitializeCriticalSection(section);
    DeleteCriticalSection(section);
}

static PLAIN void grow()
{
    void *block = kept(HeapAlloc(GetProcessHeap(), 0, 10));
    for (int size = 1; size < 6; size++) block = kept(HeapReAlloc(GetProcessHeap(), 0, block, size * 3000));
    HeapFree(GetProcessHeap(), 0, block);
}

static PLAIN void work(int round)
{
    for (int time = 0; time < 10; time++) {
        use_heap();
        use_section();
        grow();
    }
    happened = happened + round;
}
