// A program that logs on to many mailboxes, one after the other.
#include "program.h"

IMPORTED void UseMailbox(int session);

static PLAIN void work(int round)
{
    for (int session = 0; session < 3; session++) UseMailbox(session);
    happened = happened + round;
}
