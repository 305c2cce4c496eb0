// The process that sends: a message in forty is referred.
#include "program.h"

IMPORTED void Submit(bool is_referred);

static PLAIN void work(int round)
{
    for (int message = 0; message < 4; message++) Submit(message == 0 && round % 10 == 0);
    happened = happened + round;
}
