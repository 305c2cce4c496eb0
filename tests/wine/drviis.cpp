// KB900326, the other file: a message that causes a referral has two users and counts one.
#include "dll.h"

struct CMessage;
IMPORTED CMessage *CreateMessage();
IMPORTED void ReleaseMessage(CMessage *message);

struct CSubmission {
    static void Send(bool is_referred);
};

PLAIN void CSubmission::Send(bool is_referred)
{
    CMessage *message = CreateMessage();
    // A second user would count itself here.
    ReleaseMessage(message);
    if (is_referred) ReleaseMessage(message);
    happened = happened + 1;
}

EXPORTED void Submit(bool is_referred)
{
    CSubmission::Send(is_referred);
    happened = happened + 1;
}
