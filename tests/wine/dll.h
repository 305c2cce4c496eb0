// A DLL: nothing happens as it comes or goes.
#pragma once

#include "imports.h"

extern "C" int _fltused = 0;

extern "C" int __stdcall _DllMainCRTStartup(void *, unsigned, void *)
{
    return 1;
}
