// A program: says that it is ready, waits for a line, works in rounds at a steady pace, says that it is done, and waits
// for another line. What every program does beside: blocks that are freed again, and some that stay from the beginning.
#pragma once

#include "imports.h"

static void work(int round);

static void say(const char *line, DWORD length)
{
    DWORD written = 0;
    WriteFile(GetStdHandle(-11), line, length, &written, 0);
}

static void wait_for_line()
{
    char byte = 0;
    for (DWORD read = 1; read == 1 && byte != '\n';) ReadFile(GetStdHandle(-10), &byte, 1, &read, 0);
}

static PLAIN void everyday(int round)
{
    HANDLE heap = GetProcessHeap();
    void *line = kept(HeapAlloc(heap, 0, 200 + round % 50));
    line = kept(HeapReAlloc(heap, 0, line, 600));
    void *answer = kept(HeapAlloc(heap, 0, 512));
    HeapFree(heap, 0, line);
    HeapFree(heap, 0, answer);
}

static PLAIN void settle()
{
    for (int i = 0; i < 20; i++) kept(HeapAlloc(GetProcessHeap(), 0, 64));
}

extern "C" PLAIN void begin()
{
    say("ready\n", 6);
    wait_for_line();
    settle();
    for (int round = 0; round < ROUNDS; round++) {
        work(round);
        everyday(round);
        Sleep(10);
    }
    say("done\n", 5);
    wait_for_line();
    ExitProcess(0);
}
