// Q265514: "an internal object is being constructed that, in turn, creates a critical section. When the object is
// destroyed, the corresponding critical section is not destroyed". The file's name the article does not tell.
#include "dll.h"

struct CStore {
    char section[40];
    static CStore *Init();
    static void Destroy(CStore *store);
};

struct IMAPISession {
    static CStore *OpenMsgStore();
};

PLAIN CStore *CStore::Init()
{
    CStore *store = (CStore *)kept(HeapAlloc(GetProcessHeap(), 0, sizeof(CStore)));
    InitializeCriticalSection(store->section);
    happened = happened + 1;
    return store;
}

PLAIN void CStore::Destroy(CStore *store)
{
    HeapFree(GetProcessHeap(), 0, store);
    happened = happened - 1;
}

PLAIN CStore *IMAPISession::OpenMsgStore()
{
    CStore *store = CStore::Init();
    happened = happened + 1;
    return store;
}

EXPORTED void OpenAndCloseStore()
{
    CStore *store = IMAPISession::OpenMsgStore();
    CStore::Destroy(store);
}
