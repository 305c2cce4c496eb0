// What the stand-ins need of Windows.
#pragma once

typedef unsigned long DWORD;
typedef unsigned long long SIZE;
typedef void *HANDLE;

#define IMPORTED extern "C" __declspec(dllimport)
#define EXPORTED extern "C" __declspec(dllexport) __declspec(noinline)
#define PLAIN __declspec(noinline)

IMPORTED HANDLE GetProcessHeap();
IMPORTED HANDLE HeapCreate(DWORD flags, SIZE initial, SIZE most);
IMPORTED int HeapDestroy(HANDLE heap);
IMPORTED void *HeapAlloc(HANDLE heap, DWORD flags, SIZE size);
IMPORTED void *HeapReAlloc(HANDLE heap, DWORD flags, void *block, SIZE size);
IMPORTED int HeapFree(HANDLE heap, DWORD flags, void *block);
IMPORTED void InitializeCriticalSection(void *section);
IMPORTED void DeleteCriticalSection(void *section);
IMPORTED HANDLE LoadLibraryA(const char *name);
IMPORTED void *GetProcAddress(HANDLE module, const char *name);
IMPORTED void Sleep(DWORD milliseconds);
IMPORTED HANDLE GetStdHandle(DWORD which);
IMPORTED int ReadFile(HANDLE file, void *into, DWORD size, DWORD *read, void *overlapped);
IMPORTED int WriteFile(HANDLE file, const void *from, DWORD size, DWORD *written, void *overlapped);
IMPORTED __declspec(noreturn) void ExitProcess(unsigned code);

// Keeps a call from being the last thing that a function does, which then would not be on the stack.
static volatile SIZE happened;
static inline void *kept(void *block)
{
    happened = happened + (block != 0);
    return block;
}
