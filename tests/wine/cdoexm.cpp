// KB896064: "a memory leak in the Cdoexm.dll file". Which function it is in the article does not say: this one is made up.
#include "dll.h"

struct CMailboxStore {
    static void Open(int mailbox);
};

PLAIN void CMailboxStore::Open(int mailbox)
{
    void *properties = HeapAlloc(GetProcessHeap(), 0, 260);
    kept(properties);
}

EXPORTED void OpenMailboxStore(int mailbox)
{
    void *name = kept(HeapAlloc(GetProcessHeap(), 0, 80));
    CMailboxStore::Open(mailbox);
    HeapFree(GetProcessHeap(), 0, name);
}
