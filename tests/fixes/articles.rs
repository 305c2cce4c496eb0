//! Every founding article in every state that its facts permit, and the negatives.

use unfreed::event::{FactKind, Function};
use unfreed::fixes::Status::{AlreadyFixed, Applies, DoesNotApply, Possible, SwitchMissing};
use unfreed::fixes::{Catalogue, Standing, Status};

use crate::suspect::{Suspect, check, says};

fn expect(id: &str, cases: impl IntoIterator<Item = (&'static str, Suspect, Status)>) {
    let catalogue = Catalogue::embedded().unwrap();
    for (what, suspect, status) in cases {
        println!("{id}: {what}");
        check(&catalogue, &suspect, id, status);
    }
}

fn cdoexm(version: &str) -> Suspect {
    Suspect::accumulating("mailboxes.exe")
        .module("ntdll.dll", "5.0.2195.6685")
        .module("Cdoexm.dll", version)
        .module("mailboxes.exe", "1.0.0.0")
        .frame("ntdll.dll", "RtlAllocateHeap")
        .blame("Cdoexm.dll", "")
        .frame("mailboxes.exe", "main")
}

#[test]
fn kb896064_in_every_state() {
    let elsewhere = Suspect::accumulating("mailboxes.exe")
        .module("Cdoexm.dll", "6.0.6603.1")
        .module("mailboxes.exe", "1.0.0.0")
        .blame("mailboxes.exe", "main");
    let callback = Suspect::accumulating("mailboxes.exe")
        .module("Cdoexm.dll", "6.0.6603.1")
        .module("mailboxes.exe", "1.0.0.0")
        .blame("mailboxes.exe", "on_mailbox")
        .frame("Cdoexm.dll", "")
        .frame("mailboxes.exe", "main");
    let unnamed =
        Suspect::accumulating("mailboxes.exe").module("Cdoexm.dll", "6.0.6603.1").cut_short();
    let freed = Suspect::over_released("mailboxes.exe")
        .module("Cdoexm.dll", "6.0.6603.1")
        .blame("Cdoexm.dll", "");
    expect(
        "KB896064",
        [
            ("faulty", cdoexm("6.0.6603.1"), Applies),
            ("the last faulty build", cdoexm("6.0.6617.62"), Applies),
            ("fixed", cdoexm("6.0.6617.63"), AlreadyFixed),
            ("later", cdoexm("6.0.6620.7"), AlreadyFixed),
            ("a tool's spelling", cdoexm("6.0.6603.1 (built by: lab)"), Applies),
            ("version not read", cdoexm(""), Possible),
            ("version unreadable", cdoexm("six"), Possible),
            ("version too short to tell", cdoexm("6.0.6617"), Possible),
            ("short, but enough", cdoexm("6.0.6603"), Applies),
            ("Exchange 2003's file", cdoexm("6.5.7226.0"), DoesNotApply),
            (
                "Exchange 2003 established beside an old file",
                cdoexm("6.0.6603.1").product("Exchange Server 2003", "SP1"),
                Possible,
            ),
            (
                "Exchange 2000 established",
                cdoexm("6.0.6603.1").product("Microsoft Exchange 2000 Server", "SP3"),
                Applies,
            ),
            ("loaded, not on the call path", elsewhere, DoesNotApply),
            ("only a caller of the blame frame", callback, Possible),
            ("no stack", unnamed, DoesNotApply),
            ("freed too often", freed, DoesNotApply),
        ],
    );
}

#[test]
fn kb896064_tells_what_it_takes() {
    let catalogue = Catalogue::embedded().unwrap();
    let found = check(&catalogue, &cdoexm("6.0.6603.1"), "KB896064", Applies);
    says(&found, "version", Standing::Yes, "Cdoexm.dll 6.0.6603.1 is older than 6.0.6617.63");
    says(&found, "condition", Standing::Unknown, "CDOEXM");
    assert_eq!(found.remedy.files, ["Cdoexm.dll 6.0.6617.63"]);
    assert_eq!(found.remedy.prerequisites.len(), 2);
    assert!(found.remedy.prerequisites[1].contains("870540"));
    let restart = found.remedy.restart.unwrap();
    assert!(restart.contains("IIS") && restart.starts_with("No restart of the computer"));
    let fixed = check(&catalogue, &cdoexm("6.0.6617.63"), "KB896064", AlreadyFixed);
    assert!(fixed.remedy.steps.is_empty());
    let unread = check(&catalogue, &cdoexm(""), "KB896064", Possible);
    says(&unread, "version", Standing::Unknown, "Cdoexm.dll");
}

fn synchronize(version: &str, function: &str) -> Suspect {
    Suspect::accumulating("sync.exe")
        .module("ntdll.dll", "5.2.3790.0")
        .module("EMSMDB32.DLL", version)
        .module("sync.exe", "2.1.0.0")
        .frame("ntdll.dll", "RtlAllocateHeap")
        .blame("Emsmdb32.dll", "HrAllocate")
        .frame("Emsmdb32.dll", function)
        .frame("sync.exe", "main")
}

#[test]
fn kb843523_in_every_state() {
    let (one, other) =
        ("IExchangeExportChanges::Synchronize", "IExchangeExportChanges::UpdateState");
    let long =
        "public: virtual long __stdcall IExchangeExportChanges::Synchronize(unsigned long *)";
    let in_program = Suspect::accumulating("sync.exe")
        .module("Emsmdb32.dll", "6.5.7226.0")
        .module("sync.exe", "1.0.0.0")
        .blame("sync.exe", one)
        .frame("sync.exe", "main");
    expect(
        "KB843523",
        [
            ("faulty, Synchronize", synchronize("6.5.7226.0", one), Applies),
            ("faulty, UpdateState", synchronize("6.5.7232.17", other), Applies),
            ("as a symbol server names it", synchronize("6.5.7226.0", long), Applies),
            ("fixed", synchronize("6.5.7232.18", one), AlreadyFixed),
            ("SP2's file", synchronize("6.5.7638.1", other), AlreadyFixed),
            ("version not read", synchronize("", one), Possible),
            ("no symbols", synchronize("6.5.7226.0", ""), Possible),
            (
                "another function",
                synchronize("6.5.7226.0", "IExchangeImportChanges::Config"),
                DoesNotApply,
            ),
            (
                "a function that is only named alike",
                synchronize("6.5.7226.0", "IExchangeExportChanges::SynchronizeAll"),
                DoesNotApply,
            ),
            (
                "another function on a stack cut short",
                synchronize("6.5.7226.0", "HrOther").cut_short(),
                Possible,
            ),
            ("Outlook 2002's file", synchronize("10.0.2627.1", one), DoesNotApply),
            ("Outlook 2003's file", synchronize("11.0.5608.0", one), DoesNotApply),
            (
                "SP1 established",
                synchronize("6.5.7226.0", one).product("Exchange Server 2003", "Service Pack 1"),
                Applies,
            ),
            (
                "no service pack established",
                synchronize("6.5.6944.0", one).product("Exchange Server 2003", "RTM"),
                Applies,
            ),
            (
                "SP2 established beside an old file",
                synchronize("6.5.7226.0", one).product("Exchange Server 2003", "SP2"),
                Possible,
            ),
            ("the module is not on the call path", in_program, DoesNotApply),
        ],
    );
}

#[test]
fn a_second_module_of_one_name_does_not_speak_for_the_one_on_the_stack() {
    let one = "IExchangeExportChanges::Synchronize";
    let exchange = synchronize("6.5.7226.0", one).module("Emsmdb32.dll", "11.0.5608.0");
    let outlook = synchronize("11.0.5608.0", one).module("Emsmdb32.dll", "6.5.7226.0");
    let fixed = synchronize("6.5.7232.18", one).module("Emsmdb32.dll", "6.5.7226.0");
    expect(
        "KB843523",
        [
            ("Exchange's on the stack", exchange, Applies),
            ("Outlook's on the stack", outlook, DoesNotApply),
            ("the fixed one on the stack", fixed, AlreadyFixed),
        ],
    );
}

const HEAP_SETTING: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows Messaging Subsystem\Applications\CleanUpMAPIHeap";

fn logons(cdo: &str, mapi32: &str) -> Suspect {
    Suspect::accumulating("besadmin.exe")
        .module("ntdll.dll", "5.2.3790.0")
        .module("Cdo.dll", cdo)
        .module("Mapi32.dll", mapi32)
        .module("besadmin.exe", "4.0.0.0")
        .frame("ntdll.dll", "RtlAllocateHeap")
        .blame("Mapi32.dll", "")
        .frame("Cdo.dll", "")
        .frame("besadmin.exe", "main")
}

fn switched(value: Option<&str>) -> Suspect {
    logons("6.5.7232.75", "6.5.7232.75").fact(FactKind::Setting, HEAP_SETTING, value)
}

#[test]
fn kb891509_in_every_state() {
    let (old, new) = ("6.5.7226.0", "6.5.7232.75");
    let mapi_only = |version| {
        Suspect::accumulating("besadmin.exe")
            .module("MAPI32.dll", version)
            .module("besadmin.exe", "4.0.0.0")
            .blame("MAPI32.dll", "")
            .frame("besadmin.exe", "main")
    };
    let through = |cdo, mapi32| {
        Suspect::accumulating("besadmin.exe")
            .module("Cdo.dll", cdo)
            .module("Mapi32.dll", mapi32)
            .module("besadmin.exe", "4.0.0.0")
            .blame("besadmin.exe", "main")
            .frame("Mapi32.dll", "")
            .fact(FactKind::Setting, HEAP_SETTING, Some("0"))
    };
    expect(
        "KB891509",
        [
            ("both faulty", logons(old, old), Applies),
            (
                "both faulty, the value is there already",
                logons(old, old).fact(FactKind::Setting, HEAP_SETTING, Some("1")),
                Applies,
            ),
            ("Mapi32.dll faulty, Cdo.dll fixed", logons(new, old), Applies),
            ("Cdo.dll faulty, Mapi32.dll fixed", logons(old, new), Applies),
            ("one fixed, one not read", logons(new, ""), Possible),
            ("neither read", logons("", ""), Possible),
            ("a MAPI program without CDO, faulty", mapi_only(old), Applies),
            ("a MAPI program without CDO, fixed", mapi_only(new), Possible),
            ("both fixed, registry not seen", logons(new, new), Possible),
            ("both fixed, value absent", switched(None), SwitchMissing),
            ("both fixed, value 0", switched(Some("0")), SwitchMissing),
            ("both fixed, value 0 as a DWORD", switched(Some("0x00000000")), SwitchMissing),
            ("both fixed, value 1", switched(Some("1")), AlreadyFixed),
            ("both fixed, value 1 as a DWORD", switched(Some("0x00000001 (1)")), AlreadyFixed),
            ("both fixed, a value the article does not know", switched(Some("2")), Possible),
            (
                "both fixed, another setting",
                logons(new, new).fact(
                    FactKind::Setting,
                    r"HKLM\SOFTWARE\CleanUpMAPIHeap",
                    Some("0"),
                ),
                Possible,
            ),
            (
                "one fixed, the other not, value 1",
                logons(new, old).fact(FactKind::Setting, HEAP_SETTING, Some("1")),
                Applies,
            ),
            ("Windows' stub", mapi_only("1.0.2536.0"), DoesNotApply),
            ("the stub blamed under a faulty Cdo.dll", logons(old, "1.0.2536.0"), Possible),
            ("a fixed Cdo.dll over the stub", logons(new, "1.0.2536.0"), Possible),
            ("the program's own allocation, faulty files", through(old, old), Possible),
            ("the program's own allocation, switch off", through(new, new), Possible),
            ("SP1 established", logons(old, old).product("Exchange Server 2003", "SP1"), Applies),
            (
                "a level the article does not speak of",
                logons(old, old).product("Exchange Server 2003", "RTM"),
                Possible,
            ),
        ],
    );
}

#[test]
fn kb891509_tells_the_switch() {
    let catalogue = Catalogue::embedded().unwrap();
    let found = check(&catalogue, &switched(None), "KB891509", SwitchMissing);
    says(&found, "setting", Standing::No, "CleanUpMAPIHeap is absent; it must be 1");
    assert_eq!(found.remedy.settings, [format!("{HEAP_SETTING} = 1")]);
    assert!(
        found.remedy.steps[0].contains("reg query") && found.remedy.steps[1].contains("reg add")
    );
    let unseen = logons("6.5.7232.75", "6.5.7232.75");
    let found = check(&catalogue, &unseen, "KB891509", Possible);
    says(&found, "setting", Standing::Unknown, "reg query");
    let applies = check(&catalogue, &logons("6.5.7226.0", "6.5.7226.0"), "KB891509", Applies);
    says(&applies, "condition", Standing::Unknown, "impersonation");
}

fn sent(drviis: &str, exsmtp: &str) -> Suspect {
    Suspect::over_released("inetinfo.exe")
        .module("ntdll.dll", "5.2.3790.0")
        .module("Drviis.dll", drviis)
        .module("Exsmtp.dll", exsmtp)
        .frame("ntdll.dll", "RtlFreeHeap")
        .blame("Exsmtp.dll", "")
}

#[test]
fn kb900326_in_every_state() {
    let (old, new) = ("6.5.7226.0", "6.5.7233.31");
    let in_process =
        |process| Suspect::over_released(process).module("Exsmtp.dll", old).blame("Exsmtp.dll", "");
    let accumulating =
        Suspect::accumulating("Inetinfo.exe").module("Exsmtp.dll", old).blame("Exsmtp.dll", "");
    let no_stack = Suspect::over_released("Inetinfo.exe")
        .module("Exsmtp.dll", old)
        .module("Drviis.dll", old)
        .cut_short();
    let no_stack_no_module =
        Suspect::over_released("Inetinfo.exe").module("w3svc.dll", old).cut_short();
    let elsewhere = Suspect::over_released("Inetinfo.exe")
        .module("Exsmtp.dll", old)
        .module("w3svc.dll", "6.0.3790.0")
        .blame("w3svc.dll", "");
    expect(
        "KB900326",
        [
            ("both faulty: an inference is never more than possible", sent(old, old), Possible),
            ("both fixed", sent(new, new), AlreadyFixed),
            ("one fixed", sent(new, old), Possible),
            ("the other fixed", sent(old, new), Possible),
            ("one fixed, one not read", sent(new, ""), Possible),
            ("Exchange 2000's files", sent("6.0.6603.0", "6.0.6603.0"), DoesNotApply),
            ("spelt otherwise", in_process(r"C:\WINDOWS\system32\inetsrv\INETINFO.EXE"), Possible),
            ("another process", in_process("store.exe"), DoesNotApply),
            ("blocks that accumulate", accumulating, DoesNotApply),
            ("no stack", no_stack, Possible),
            ("no stack, and neither module", no_stack_no_module, DoesNotApply),
            ("another module's blocks", elsewhere, DoesNotApply),
        ],
    );
    let catalogue = Catalogue::embedded().unwrap();
    let found = check(&catalogue, &sent(old, old), "KB900326", Possible);
    says(&found, "evidence", Standing::Unknown, "inference");
}

fn opened() -> Suspect {
    Suspect::accumulating("outlook.exe")
        .module("ntdll.dll", "4.0.1381.7047")
        .module("emsmdb32.dll", "5.5.2650.21")
        .module("outlook.exe", "9.0.2711.0")
        .frame("ntdll.dll", "RtlAllocateHeap")
        .frame("ntdll.dll", "RtlInitializeCriticalSection")
        .blame("emsmdb32.dll", "")
        .frame("emsmdb32.dll", "IMAPISession::OpenMsgStore")
        .frame("outlook.exe", "main")
}

#[test]
fn q265514_in_every_state() {
    let exchange = "Microsoft Exchange Server 5.5";
    let without_section = Suspect::accumulating("outlook.exe")
        .module("mapi32.dll", "")
        .blame("mapi32.dll", "IMAPISession::OpenMsgStore");
    let without_call = Suspect::accumulating("outlook.exe")
        .module("kernel32.dll", "")
        .module("outlook.exe", "")
        .frame("kernel32.dll", "InitializeCriticalSection")
        .blame("outlook.exe", "main");
    let unnamed_call = without_call.clone().frame("outlook.exe", "");
    let unnamed_section = Suspect::accumulating("outlook.exe")
        .module("ntdll.dll", "")
        .module("mapi32.dll", "")
        .frame("ntdll.dll", "")
        .blame("mapi32.dll", "IMAPISession::OpenMsgStore");
    let the_other_way_round = Suspect::accumulating("outlook.exe")
        .module("mapi32.dll", "")
        .blame("mapi32.dll", "IMAPISession::OpenMsgStore")
        .frame("mapi32.dll", "InitializeCriticalSection");
    expect(
        "Q265514",
        [
            ("level not known", opened(), Possible),
            ("SP3", opened().product(exchange, "SP3"), Applies),
            ("SP4", opened().product(exchange, "SP4"), AlreadyFixed),
            (
                "SP4, in other words",
                opened().product("Exchange 5.5", "Service Pack 4 (build 2653.23)"),
                AlreadyFixed,
            ),
            ("SP2, of which it says nothing", opened().product(exchange, "SP2"), Possible),
            ("a level that cannot be read", opened().product(exchange, "5.5.2650.24"), Possible),
            (
                "two levels at once",
                opened().product(exchange, "SP3").product(exchange, "SP4"),
                Possible,
            ),
            (
                "SP4 of another Exchange",
                opened().product("Exchange 2000 Server", "SP4"),
                DoesNotApply,
            ),
            ("SP4 of something else", opened().product("Windows NT 4.0", "SP4"), Possible),
            (
                "Exchange 5.5 looked for and absent",
                opened().fact(FactKind::Product, exchange, None),
                DoesNotApply,
            ),
            (
                "a setting called alike",
                opened().fact(FactKind::Setting, exchange, Some("SP4")),
                Possible,
            ),
            ("bytes do not count: it states none", opened().bytes(4096), Possible),
            ("no critical section", without_section, DoesNotApply),
            ("no OpenMsgStore", without_call, DoesNotApply),
            ("a critical section alone says nothing", unnamed_call, DoesNotApply),
            ("a frame without a name where the section would be", unnamed_section, Possible),
            ("a section that leads to OpenMsgStore", the_other_way_round, DoesNotApply),
        ],
    );
}

fn published(version: &str) -> Suspect {
    Suspect::accumulating("mosquitto")
        .module("libc.so.6", "")
        .module("mosquitto", version)
        .frame("libc.so.6", "malloc")
        .frame("mosquitto", "mosquitto__malloc")
        .blame("mosquitto", "packet__read_string")
        .frame("mosquitto", "handle__publish")
        .frame("mosquitto", "main")
        .allocated_by(Function::Malloc)
}

#[test]
fn mosquitto_in_every_state() {
    use unfreed_symbols::PackageManager::{Dpkg, Note, Rpm};
    let debian = |version| published("").package(Dpkg, version, Some("debian 12"));
    let will = Suspect::accumulating("mosquitto")
        .module("mosquitto", "2.0.14")
        .blame("mosquitto", "packet__read_string")
        .frame("mosquitto", "will__read")
        .frame("mosquitto", "handle__connect");
    let property = Suspect::accumulating("mosquitto")
        .module("mosquitto", "2.0.14")
        .blame("mosquitto", "packet__read_string")
        .frame("mosquitto", "property__read_all")
        .frame("mosquitto", "handle__publish");
    let elsewhere = Suspect::accumulating("mosquitto")
        .module("mosquitto", "2.0.14")
        .blame("mosquitto", "sub__add_leaf")
        .frame("mosquitto", "handle__publish");
    let client = Suspect::accumulating("mosquitto_sub")
        .module("libmosquitto.so.1", "2.0.14")
        .blame("libmosquitto.so.1", "packet__read_string")
        .frame("libmosquitto.so.1", "handle__publish");
    let inlined = Suspect::accumulating("mosquitto")
        .module("mosquitto", "2.0.14")
        .blame("mosquitto", "packet__read_binary")
        .frame("mosquitto", "packet__read_string")
        .frame("mosquitto", "handle__publish");
    let wrapper_blamed = Suspect::accumulating("mosquitto")
        .module("mosquitto", "2.0.14")
        .blame("mosquitto", "mosquitto__malloc")
        .frame("mosquitto", "packet__read_string")
        .frame("mosquitto", "handle__publish");
    let stripped = Suspect::accumulating("mosquitto")
        .module("mosquitto", "2.0.14")
        .blame("mosquitto", "packet__read_string")
        .frame("mosquitto", "");
    expect(
        "MOSQUITTO-5f57de21",
        [
            ("Debian 12's package", debian("2.0.11-1.2+deb12u2"), Possible),
            ("a package made from a release with the fix", debian("2.0.18-1"), AlreadyFixed),
            ("a package made from the release candidate", debian("2.0.15~rc1-1"), Possible),
            ("a package that went back", debian("2.0.18+really2.0.14-1"), Possible),
            ("a package from before the fault", debian("1.5.7-1+deb10u1"), DoesNotApply),
            ("an RPM", published("").package(Rpm, "2.0.14-3.fc36", Some("fedora 36")), Possible),
            (
                "a distribution's own note",
                published("2.0.14").package(Note, "2.0.14-3.fc36", Some("fedora")),
                Possible,
            ),
            ("upstream's own note", published("").package(Note, "2.0.14", None), Applies),
            ("a version that is none", debian("two"), Possible),
            ("upstream, faulty", published("2.0.14"), Applies),
            ("upstream, the first faulty one", published("2.0.0"), Applies),
            ("upstream, before the function was there", published("1.6.15"), DoesNotApply),
            ("upstream, fixed", published("2.0.15"), AlreadyFixed),
            ("upstream, later", published("2.1.0"), AlreadyFixed),
            ("upstream, a packager's number", published("2.0.15-1"), Possible),
            ("version not known", published(""), Possible),
            ("version from a fact", published("").product("mosquitto", "2.0.14"), Applies),
            ("one block per publish", published("2.0.14").blocks(1.0), Applies),
            ("a block for every second mark", published("2.0.14").blocks(0.5), Possible),
            (
                "allocated by calloc",
                published("2.0.14").allocated_by(Function::Calloc),
                DoesNotApply,
            ),
            ("another caller", will, DoesNotApply),
            ("a property's string", property, DoesNotApply),
            ("another function", elsewhere, DoesNotApply),
            ("the client library", client, DoesNotApply),
            ("inlined function blamed", inlined, Applies),
            ("the wrapper blamed", wrapper_blamed, Possible),
            ("no name for the caller", stripped, Possible),
        ],
    );
    let catalogue = Catalogue::embedded().unwrap();
    let found = check(
        &catalogue,
        &debian("2.0.11-1.2+deb12u2").blocks(1.0),
        "MOSQUITTO-5f57de21",
        Possible,
    );
    says(&found, "version", Standing::Unknown, "may carry backports");
    says(&found, "version", Standing::Unknown, "5f57de21");
    says(&found, "blocks", Standing::Yes, "1.00 blocks");
    says(&found, "function", Standing::Yes, "blame frame");
    assert_eq!(found.remedy.version.as_deref(), Some("2.0.15"));
    let unmarked = check(&catalogue, &published("2.0.14"), "MOSQUITTO-5f57de21", Applies);
    says(&unmarked, "blocks", Standing::Unknown, "unfreed mark");
}

/// Of all entries one has a switch, and so `switch-missing` is for it alone.
#[test]
fn only_kb891509_has_a_switch() {
    let catalogue = Catalogue::embedded().unwrap();
    let switched: Vec<_> = catalogue.entries().filter(|entry| !entry.settings.is_empty()).collect();
    assert_eq!(switched.len(), 1);
    assert_eq!(switched[0].id, "KB891509");
    assert!(switched[0].settings[0].absent_is_off && switched[0].settings[0].off == ["0"]);
}

/// A function of a library that every program uses is no trace of one program's fault, and a stack cut short is none either.
#[test]
fn what_everybody_calls_accuses_nobody() {
    let catalogue = Catalogue::embedded().unwrap();
    let functions = [
        "getaddrinfo",
        "SSL_new",
        "SSL_connect",
        "X509_get_ext_d2i",
        "ASN1_STRING_to_UTF8",
        "deflateInit2_",
        "ldap_search_ext_s",
        "ei_x_new",
        "malloc",
        "LoadLibraryW",
        "RtlInitializeCriticalSection",
        "RtlCreateHeap",
    ];
    for function in functions {
        let suspect = Suspect::accumulating("mailer")
            .module("libother.so.1", "")
            .module("kernel32.dll", "")
            .frame("kernel32.dll", function)
            .blame("libother.so.1", "")
            .cut_short();
        let fitting = unfreed::fixes::match_suspect(&catalogue, &suspect.evidence());
        assert!(fitting.is_empty(), "{function} alone fits {:#?}", fitting[0]);
    }
}

#[test]
fn versions_alone_accuse_nobody() {
    let catalogue = Catalogue::embedded().unwrap();
    let suspect = Suspect::accumulating("Inetinfo.exe")
        .module("Cdoexm.dll", "6.0.6603.1")
        .module("Emsmdb32.dll", "6.5.7226.0")
        .module("Cdo.dll", "6.5.7226.0")
        .module("Mapi32.dll", "6.5.7226.0")
        .module("Exsmtp.dll", "6.5.7226.0")
        .module("Drviis.dll", "6.5.7226.0")
        .module("mosquitto", "2.0.11")
        .module("other.dll", "1.0.0.0")
        .product("Exchange Server 5.5", "SP3")
        .blame("other.dll", "leak");
    for entry in catalogue.entries() {
        check(&catalogue, &suspect, &entry.id, DoesNotApply);
        check(&catalogue, &suspect.clone().cut_short(), &entry.id, DoesNotApply);
    }
}
