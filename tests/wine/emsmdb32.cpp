// KB843523: calls of IExchangeExportChanges::Synchronize and UpdateState leak. Of what they keep the article says nothing.
#include "dll.h"

struct CExport {
    static void AddProps(int change);
};

struct IExchangeExportChanges {
    static void Synchronize(int changes);
};

PLAIN void CExport::AddProps(int change)
{
    void *properties = HeapAlloc(GetProcessHeap(), 0, 96);
    kept(properties);
}

PLAIN void IExchangeExportChanges::Synchronize(int changes)
{
    for (int change = 0; change < changes; change++) CExport::AddProps(change);
    happened = happened + changes;
}

EXPORTED void ExportChanges(int changes)
{
    IExchangeExportChanges::Synchronize(changes);
    happened = happened + 1;
}
