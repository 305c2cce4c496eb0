// KB900326: "does not increment the message usage count correctly". A message's last user frees it.
#include "dll.h"

struct CMessage {
    void *interfaces[4];
    int users;
    char content[148];
    static CMessage *Create();
    static void Release(CMessage *message);
};

PLAIN CMessage *CMessage::Create()
{
    CMessage *message = (CMessage *)kept(HeapAlloc(GetProcessHeap(), 0, sizeof(CMessage)));
    message->users = 1;
    return message;
}

PLAIN void CMessage::Release(CMessage *message)
{
    if (--message->users <= 0) HeapFree(GetProcessHeap(), 0, message);
    happened = happened + 1;
}

EXPORTED CMessage *CreateMessage()
{
    return (CMessage *)kept(CMessage::Create());
}

EXPORTED void ReleaseMessage(CMessage *message)
{
    CMessage::Release(message);
    happened = happened + 1;
}
