/* bcryptprimitives.dll for a Wine that has none: Rust's standard library takes its random numbers from there. */
#include <windows.h>

BOOLEAN WINAPI SystemFunction036(PVOID bytes, ULONG size);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T size)
{
    for (; size > 0; size--, bytes++)
        if (!SystemFunction036(bytes, 1))
            return FALSE;
    return TRUE;
}
