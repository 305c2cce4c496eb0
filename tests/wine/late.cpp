// A program that loads CDOEXM once it works, as COM does.
#include "program.h"

static PLAIN void work(int round)
{
    static void (*open)(int);
    if (!open) open = (void (*)(int))GetProcAddress(LoadLibraryA("Cdoexm.dll"), "OpenMailboxStore");
    for (int mailbox = 0; mailbox < 5; mailbox++) open(mailbox);
    happened = happened + round;
}
