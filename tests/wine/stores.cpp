// A program that opens and closes a message store again and again.
#include "program.h"

IMPORTED void OpenAndCloseStore();

static PLAIN void work(int round)
{
    for (int store = 0; store < 5; store++) OpenAndCloseStore();
    happened = happened + round;
}
