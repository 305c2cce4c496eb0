// A program that synchronizes incrementally.
#include "program.h"

IMPORTED void ExportChanges(int changes);

static PLAIN void work(int round)
{
    ExportChanges(5);
    happened = happened + round;
}
