// KB891509, the other file.
#include "dll.h"

IMPORTED void MAPILogonEx(int session);
IMPORTED void MAPILogoff(int session);

struct CSession {
    static void Logon(int session);
    static void Logoff(int session);
};

PLAIN void CSession::Logon(int session)
{
    MAPILogonEx(session);
    happened = happened + session;
}

PLAIN void CSession::Logoff(int session)
{
    MAPILogoff(session);
    happened = happened - session;
}

EXPORTED void UseMailbox(int session)
{
    CSession::Logon(session);
    CSession::Logoff(session);
}
