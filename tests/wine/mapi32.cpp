// KB891509: "certain MAPI heap cleanup code is not enabled". What MAPI keeps for a session lies in a heap of its own, and
// stays there when the session ends.
#include "dll.h"

static HANDLE mapi_heap;

PLAIN void HrCreateHeapEntry(int session)
{
    void *entry = HeapAlloc(mapi_heap, 0, 1024);
    kept(entry);
}

EXPORTED void MAPILogonEx(int session)
{
    if (!mapi_heap) mapi_heap = HeapCreate(0, 0, 0);
    HrCreateHeapEntry(session);
    happened = happened + session;
}

EXPORTED void MAPILogoff(int session)
{
    happened = happened - session;
}
