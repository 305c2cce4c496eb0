// A program that manages mailboxes through CDOEXM.
#include "program.h"

IMPORTED void OpenMailboxStore(int mailbox);

static PLAIN void work(int round)
{
    for (int mailbox = 0; mailbox < 5; mailbox++) OpenMailboxStore(mailbox);
    happened = happened + round;
}
