//! Every entry, fed its own signature: it must be found where the fault is, be silent where the fix is, and not fit another
//! kind of evidence. The stacks come from the entries; what is expected of them is written down here by hand from the
//! published facts, so that neither can be wrong alone: versions, files, functions at fault, CVE numbers.

use unfreed::event::{FactKind, Function};
use unfreed::fixes::Status::{self, AlreadyFixed, Applies, DoesNotApply, Possible};
use unfreed::fixes::entry::{End, Entry, Place};
use unfreed::fixes::{Catalogue, EvidenceKind, Match, explain};
use unfreed_symbols::PackageManager;

use crate::suspect::Suspect;

/// A suspect that shows all that an entry's signature names, with these modules loaded.
fn showing(entry: &Entry, versions: &[(&str, &str)]) -> Suspect {
    let signature = &entry.signature;
    let process = signature.processes.first().map_or("program.exe", String::as_str);
    let mut suspect = Suspect::accumulating(process).of_kind(signature.evidence);
    let mut mapped: Vec<String> = Vec::new();
    for (name, version) in versions {
        mapped.push((*name).to_owned());
        suspect = suspect.module(name, version);
    }
    let of_module = signature.modules.as_ref().and_then(|modules| modules.any.first());
    let steps = signature.frames.iter().filter_map(|step| step.module.as_ref());
    let program = "program.exe".to_owned();
    for name in of_module.into_iter().chain(steps).chain([&program]) {
        if !mapped.iter().any(|known| stem(known).eq_ignore_ascii_case(stem(name))) {
            mapped.push(name.clone());
            suspect = suspect.module(name, "");
        }
    }
    let place = |name: &String| {
        mapped.iter().find(|known| stem(known).eq_ignore_ascii_case(stem(name))).unwrap().clone()
    };
    let blamed = signature.modules.as_ref().is_some_and(|modules| modules.at == Place::Blame);
    let mut blame_seen = false;
    for step in &signature.frames {
        let module = step.module.as_ref().or(of_module).unwrap_or(&program);
        let (module, function) = (place(module), &step.any[0]);
        if !blame_seen && (step.at == Place::Blame || blamed) {
            blame_seen = true;
            suspect = suspect.blame(&module, function);
        } else {
            suspect = suspect.frame(&module, function);
        }
    }
    if let (Some(name), true) = (of_module, signature.frames.iter().all(|step| step.common)) {
        suspect = suspect.blame(&place(name), "some_function");
    }
    if let Some(function) = signature.allocators.first() {
        suspect = suspect.allocated_by(*function);
    }
    suspect.frame("program.exe", "main")
}

/// A library's name without its number.
fn stem(name: &str) -> &str {
    name.split_once(".so.").map_or(name, |(_, number)| &name[..name.len() - number.len() - 1])
}

/// One entry, held against a suspect.
fn held(catalogue: &Catalogue, suspect: &Suspect, id: &str) -> Match {
    let entry = catalogue.get(id).unwrap_or_else(|| panic!("{id} is in the catalogue"));
    let mut alone = Catalogue::default();
    alone.insert(entry.clone());
    explain(&alone, &suspect.evidence()).remove(0)
}

fn expect(catalogue: &Catalogue, suspect: &Suspect, id: &str, status: Status, what: &str) {
    let found = held(catalogue, suspect, id);
    assert_eq!(found.status, status, "{id}, {what}: {:#?}", found.reasons);
}

/// A release of upstream: the file that carries the fault, the nearest older release, the first with the fix (empty
/// where there is none), the function at fault, the CVE.
struct Row {
    id: &'static str,
    file: &'static str,
    older: &'static str,
    fixed: &'static str,
    function: &'static str,
    cve: &'static str,
    faulty: Status,
}

const fn row(
    id: &'static str,
    file: &'static str,
    older: &'static str,
    fixed: &'static str,
    function: &'static str,
    cve: &'static str,
    faulty: Status,
) -> Row {
    Row { id, file, older, fixed, function, cve, faulty }
}

/// Of the history of each project: the first tag that contains the commit, and the newest older one.
const RELEASES: [Row; 58] = [
    row(
        "MOSQUITTO-00b24e0e",
        "mosquitto",
        "2.0.15",
        "2.0.16",
        "property__process_will",
        "CVE-2023-3592",
        Applies,
    ),
    row(
        "MOSQUITTO-6113eac9",
        "mosquitto",
        "2.0.15",
        "2.0.16",
        "handle__publish",
        "CVE-2023-28366",
        Possible,
    ),
    row(
        "MOSQUITTO-3c48b501",
        "mosquitto",
        "2.0.14",
        "2.0.15",
        "plugin__handle_message",
        "",
        Applies,
    ),
    row("MOSQUITTO-42163634", "mosquitto", "2.0.10", "2.0.11", "handle__connect", "", Possible),
    row("MOSQUITTO-eeaafed4", "mosquitto", "1.6.9", "1.6.10", "handle__connect", "", Possible),
    row("MOSQUITTO-c1b009e4", "mosquitto", "1.6.11", "1.6.12", "handle__publish", "", Possible),
    row(
        "MOSQUITTO-51ec5601",
        "mosquitto",
        "1.4.14",
        "1.5",
        "handle__connect",
        "CVE-2017-7654",
        Possible,
    ),
    row("MOSQUITTO-53c71b2a", "mosquitto", "1.4.14", "1.4.15", "mqtt3_handle_connect", "", Applies),
    row(
        "MOSQUITTO-9018f12d",
        "libmosquitto.so.1",
        "2.0.15",
        "2.0.16",
        "mosquitto_tls_opts_set",
        "",
        Applies,
    ),
    row(
        "MOSQUITTO-a853be50",
        "libmosquitto.so.1",
        "2.0.20",
        "2.0.21",
        "mosquitto_reinitialise",
        "",
        Applies,
    ),
    row("MOSQUITTO-4253eca8", "libmosquitto.so.1", "1.6.3", "1.6.4", "send__connect", "", Applies),
    row("MOSQUITTO-9d95cba9", "mosquitto", "2.0.11", "2.0.12", "sub__add_normal", "", Possible),
    row("MOSQUITTO-0f705256", "mosquitto", "1.6.8", "1.6.9", "handle__unsubscribe", "", Applies),
    row("MOSQUITTO-20feb103", "mosquitto", "1.6.10", "2.0.0", "handle__subscribe", "", Applies),
    row(
        "MOSQUITTO-0a9ee5b4",
        "libmosquitto.so.1",
        "1.5.3",
        "1.5.4",
        "net__socket_connect_step3",
        "",
        Applies,
    ),
    row(
        "MOSQUITTO-79cc06b1",
        "libmosquitto.so.1",
        "1.4.3",
        "1.4.10",
        "_mosquitto_verify_certificate_hostname",
        "",
        Applies,
    ),
    row("MOSQUITTO-7a3b69f2", "mosquitto", "2.0.6", "2.0.7", "handle__connect", "", Possible),
    row(
        "MOSQUITTO-4392320b",
        "mosquitto",
        "2.0.0-rc1",
        "2.0.0",
        "sub__remove_shared_leaf",
        "",
        Possible,
    ),
    row("NNG-5c0f6268", "libnng.so.1", "1.1.1", "1.2.0", "pub0_sock_send", "", Possible),
    row("NNG-c40cc5d1", "libnng.so.1", "1.1.1", "1.2.0", "ws_frame_prep_tx", "", Possible),
    row("NNG-c2ba57e7", "libnng.so.1", "1.1.1", "1.2.0", "tls_listener_free", "", Possible),
    row("NNG-45a4f21d", "libnng.so.1", "1.0.1", "1.1.0", "nni_http_client_fini", "", Possible),
    row("NNG-84c32ea0", "libnng.so.1", "0.9.0", "1.0.0", "bus0_sock_getq_cb", "", Possible),
    row("NNG-759a2e9d", "libnng.so.1", "1.5.2", "1.6.0", "inproc_pipe_send", "", Possible),
    row("NNG-dcb89245", "libnng.so.1", "1.5.2", "1.6.0", "nni_sock_shutdown", "", Possible),
    row("NNG-2f66b998", "libnng.so.1", "1.5.2", "1.6.0", "device_cb", "", Possible),
    row("NNG-1a9b1a0a", "libnng.so.1", "1.2.2", "1.2.3", "resolv_worker", "", Applies),
    row(
        "LIBZMQ-68151385",
        "libzmq.so.5",
        "4.3.2",
        "4.3.3",
        "zmq::pipe_t::process_delimiter",
        "",
        Possible,
    ),
    row("LIBZMQ-821ab88f", "libzmq.so.5", "4.3.2", "4.3.3", "", "", Possible),
    row(
        "LIBZMQ-b02bdd56",
        "libzmq.so.5",
        "4.3.2",
        "4.3.3",
        "zmq::ws_engine_t::client_handshake",
        "",
        Possible,
    ),
    row("LIBZMQ-367cedb7", "libzmq.so.5", "4.3.1", "4.3.2", "zmq::req_t::xsend", "", Applies),
    row("LIBZMQ-69355730", "libzmq.so.5", "4.2.2", "4.2.3", "zmq::pipe_t::terminate", "", Possible),
    row("LIBZMQ-bdc676f6", "libzmq.so.5", "4.2.2", "4.2.3", "zmq::router_t::xsend", "", Possible),
    row("LIBZMQ-1b79da0d", "libzmq.so.5", "4.2.2", "4.2.3", "zmq::proxy", "", Possible),
    row("LIBZMQ-3be093c2", "libzmq.so.5", "4.3.5", "", "zmq::udp_engine_t::in_event", "", Applies),
    row(
        "RABBITMQ-C-0f1f75b5",
        "librabbitmq.so.4",
        "0.3.0",
        "0.4.0",
        "amqp_new_connection",
        "",
        Applies,
    ),
    row(
        "RABBITMQ-C-a8179496",
        "librabbitmq.so.4",
        "0.3.0",
        "0.4.0",
        "amqp_ssl_socket_verify",
        "",
        Possible,
    ),
    row(
        "RABBITMQ-C-d6000f44",
        "librabbitmq.so.4",
        "0.7.1",
        "0.8.0",
        "amqp_ssl_socket_verify_hostname",
        "",
        Possible,
    ),
    row(
        "RABBITMQ-C-100271ac",
        "librabbitmq.so.4",
        "0.7.1",
        "0.8.0",
        "amqp_pool_alloc",
        "",
        Applies,
    ),
    row(
        "RABBITMQ-C-8dab630d",
        "librabbitmq.so.4",
        "0.8.0",
        "0.9.0",
        "amqp_open_socket_inner",
        "",
        Possible,
    ),
    row(
        "RABBITMQ-C-55ac2027",
        "librabbitmq.so.4",
        "0.0.1",
        "0.1",
        "amqp_decode_table",
        "",
        Possible,
    ),
    row("RABBITMQ-C-67da8c76", "amqp-publish", "0.15.0", "0.16.0", "read_authfile", "", Applies),
    row(
        "LIBETPAN-5b43488b",
        "libetpan.so.20",
        "1.9.4",
        "1.10",
        "mailimap_hack_date_time_parse",
        "",
        Applies,
    ),
    row("LIBETPAN-d5d46b8d", "libetpan.so.20", "1.8", "1.9", "mailimap_acl_myrights", "", Applies),
    row(
        "LIBETPAN-927225b3",
        "libetpan.so.20",
        "1.10.1",
        "",
        "mailimap_acl_listrights",
        "",
        Applies,
    ),
    row(
        "LIBETPAN-ddf1d98f",
        "libetpan.so.20",
        "1.9.4",
        "1.10",
        "mailimap_section_parse",
        "",
        Applies,
    ),
    row(
        "LIBETPAN-77f3cdaa",
        "libetpan.so.20",
        "1.7.2",
        "1.8",
        "mailimap_id_params_list_parse",
        "",
        Applies,
    ),
    row(
        "LIBETPAN-bfa923da",
        "libetpan.so.20",
        "1.2",
        "1.3-pre2",
        "mailstream_certificate_chain_free",
        "",
        Possible,
    ),
    row("LIBETPAN-e35910de", "libetpan.so.20", "1.1", "1.2", "mailpop3_quit", "", Applies),
    row("ZNC-80f9baf0", "znc", "1.7.1", "1.8.0", "CZNC::LoadUsers", "", Applies),
    row("ZNC-b822ea8e", "znc", "1.2", "1.6.0", "CHTTPSock::PrintPage", "", Applies),
    row("ZNC-c21e60ad", "znc", "1.6.2", "1.6.3", "", "", Applies),
    row("ZNC-8748abb5", "znc", "1.6.6", "1.7.0", "CUser::IsHostAllowed", "", Possible),
    row("ZNC-b8330296", "znc", "1.6.1", "1.6.2", "", "", Applies),
    row("OPENDKIM-4e5f17de", "opendkim", "2.9.2", "2.9.3", "dkimf_db_get", "", Applies),
    row("OPENDKIM-885d39a3", "libopendkim.so.2", "2.1.3", "2.2.0", "dkim_close", "", Applies),
    row("OPENDKIM-3670951d", "opendkim", "2.4.2", "2.4.3", "dkimf_prescreen", "", Applies),
    row("OPENDKIM-cc250802", "opendkim", "2.6.0-beta2", "2.6.0", "dkimf_db_walk", "", Applies),
];

#[test]
fn every_upstream_entry_in_the_releases_before_and_after_its_fix() {
    let catalogue = Catalogue::embedded().unwrap();
    for row in &RELEASES {
        let entry = catalogue.get(row.id).unwrap_or_else(|| panic!("{} is there", row.id));
        let at = |version| showing(entry, &[(row.file, version)]);
        expect(&catalogue, &at(row.older), row.id, row.faulty, "the release before the fix");
        expect(&catalogue, &at(""), row.id, Possible, "a version that was not read");
        if row.fixed.is_empty() {
            assert!(entry.remedy.version.is_none() && entry.lines[0].files[0].fixed.is_none());
        } else {
            expect(&catalogue, &at(row.fixed), row.id, AlreadyFixed, "the release with the fix");
            assert_eq!(entry.remedy.version.as_deref(), Some(row.fixed), "{}", row.id);
        }
        let other = at(row.older).of_kind(EvidenceKind::OverRelease);
        expect(&catalogue, &other, row.id, DoesNotApply, "another kind of evidence");
        if !row.function.is_empty() {
            assert!(entry.faulty.functions.iter().any(|f| f == row.function), "{}", row.id);
        }
        let references = &entry.backports.as_ref().unwrap().references;
        let commit = row.id.rsplit('-').next().unwrap();
        assert!(references.iter().any(|reference| reference == commit), "{}", row.id);
        let cves: Vec<_> = references.iter().filter(|name| name.starts_with("CVE")).collect();
        let expected: Vec<_> = Some(row.cve).filter(|cve| !cve.is_empty()).into_iter().collect();
        assert_eq!(cves, expected, "{}", row.id);
    }
}

/// What is loaded, and what a fact says of the product; and what must come of it.
type Loaded = &'static [(&'static str, &'static str)];

struct Article {
    id: &'static str,
    faulty: (Loaded, Loaded, Status),
    fixed: (Loaded, Loaded, Status),
}

/// One case: modules with their versions, products with their levels, the status.
const fn article(
    id: &'static str,
    faulty: (Loaded, Loaded, Status),
    fixed: (Loaded, Loaded, Status),
) -> Article {
    Article { id, faulty, fixed }
}

const NOTHING: Loaded = &[];
const X40: Loaded = &[("Microsoft Exchange Server 4.0", "SP2")];
const X55_SP2: Loaded = &[("Exchange Server 5.5", "SP2")];
const X55_SP3: Loaded = &[("Exchange Server 5.5", "SP3")];
const X55_SP4: Loaded = &[("Exchange Server 5.5", "SP4")];
const X2000: Loaded = &[("Exchange 2000 Server", "SP3")];
const X2003: Loaded = &[("Exchange Server 2003", "SP1")];

/// The articles with more than a product's name: builds of files where they state any, else builds or levels of the product.
const ARTICLES: [Article; 32] = [
    article(
        "Q169693",
        (&[("Store.exe", "4.0.993.0")], NOTHING, Possible),
        (&[("Store.exe", "5.0.1457.0")], NOTHING, DoesNotApply),
    ),
    article(
        "Q176708",
        (&[("Store.exe", "5.0.1458.0")], NOTHING, Possible),
        (&[("Store.exe", "5.0.1460.0")], NOTHING, DoesNotApply),
    ),
    article(
        "Q176709",
        (&[("Store.exe", "5.0.1457.0")], NOTHING, Possible),
        (&[("Store.exe", "5.0.1461.66")], NOTHING, DoesNotApply),
    ),
    article(
        "Q177875",
        (&[("Dsamain.exe", "5.5.1960.0")], NOTHING, Possible),
        (&[("Dsamain.exe", "5.5.2232.0")], NOTHING, DoesNotApply),
    ),
    article(
        "Q184062",
        (NOTHING, &[("Outlook 97", "8.0")], Possible),
        (NOTHING, &[("Outlook 98", "8.5")], DoesNotApply),
    ),
    article(
        "Q192592",
        (&[("Mapi32.dll", "5.0.1461.61")], NOTHING, Applies),
        (&[("Mapi32.dll", "5.5.2395.0")], NOTHING, AlreadyFixed),
    ),
    article(
        "Q265511",
        (&[("Cdo.dll", "")], X55_SP3, Possible),
        (&[("Cdo.dll", "")], X55_SP4, AlreadyFixed),
    ),
    article(
        "Q193894",
        (&[("Emsmta.exe", "5.5.2409.9")], NOTHING, Possible),
        (&[("Emsmta.exe", "5.5.2410.0")], NOTHING, DoesNotApply),
    ),
    article(
        "Q229643",
        (
            &[
                ("Emsmta.exe", "5.5.2448.0"),
                ("Ems_rid.dll", "5.5.2448.0"),
                ("Mtamsg.dll", "5.5.2448.0"),
            ],
            X55_SP2,
            Possible,
        ),
        (
            &[
                ("Emsmta.exe", "5.5.2590.0"),
                ("Ems_rid.dll", "5.5.2590.0"),
                ("Mtamsg.dll", "5.5.2590.0"),
            ],
            NOTHING,
            DoesNotApply,
        ),
    ),
    article(
        "Q247419",
        (&[("Emsmta.exe", "5.5.2650.24")], NOTHING, Possible),
        (&[("Emsmta.exe", "5.5.2653.23")], NOTHING, DoesNotApply),
    ),
    article(
        "Q214573",
        (NOTHING, &[("Exchange Server 5.0", "SP2")], Possible),
        (NOTHING, X55_SP3, DoesNotApply),
    ),
    article(
        "Q216259",
        (&[("Store.exe", "5.5.2448.7")], NOTHING, Applies),
        (&[("Store.exe", "5.5.2448.8")], NOTHING, AlreadyFixed),
    ),
    article(
        "Q217053",
        (&[("Store.exe", "5.5.2448.8")], NOTHING, Possible),
        (&[("Store.exe", "5.5.2650.24")], NOTHING, DoesNotApply),
    ),
    article(
        "Q222621",
        (&[("Dsamain.exe", "5.5.2574.9")], NOTHING, Possible),
        (&[("Dsamain.exe", "5.5.2575.0")], NOTHING, DoesNotApply),
    ),
    article(
        "Q232604",
        (&[("Emsmta.exe", "5.5.2613.9")], NOTHING, Possible),
        (
            &[
                ("Emsmta.exe", "5.5.2614.0"),
                ("Ems_rid.dll", "5.5.2614.0"),
                ("Mtamsg.dll", "5.5.2614.0"),
                ("X400om.dll", "5.5.2614.0"),
            ],
            NOTHING,
            DoesNotApply,
        ),
    ),
    article(
        "Q237174",
        (&[("Emsmdb32.dll", "5.5.2650.21")], NOTHING, Possible),
        (&[("Emsmdb32.dll", "5.5.2652.61")], NOTHING, AlreadyFixed),
    ),
    article(
        "Q249148",
        (&[("Mdbrest.dll", "5.5.2650.0")], NOTHING, Possible),
        (&[("Mdbrest.dll", "5.5.2651.73")], NOTHING, AlreadyFixed),
    ),
    article(
        "Q252757",
        (&[("Emsmdb32.dll", "5.5.2652.60")], NOTHING, Possible),
        (&[("Emsmdb32.dll", "5.5.2652.61")], NOTHING, AlreadyFixed),
    ),
    article(
        "Q254282",
        (&[("Mmc.exe", "5.0.2153.1")], X55_SP3, Possible),
        (&[("Mmc.exe", "5.0.2153.1")], X55_SP4, DoesNotApply),
    ),
    article(
        "Q260554",
        (&[("Async.exe", "5.5.2650.0")], &[("Windows 2000", "SP1")], Possible),
        (&[("Async.exe", "5.5.2650.0")], &[("Windows NT 4.0", "SP6")], DoesNotApply),
    ),
    article("Q293150", (NOTHING, NOTHING, Possible), (NOTHING, X55_SP4, Possible)),
    article(
        "Q152951",
        (&[("Emsmta.exe", "")], X40, Possible),
        (&[("Emsmta.exe", "")], X55_SP2, DoesNotApply),
    ),
    article(
        "Q276319",
        (&[("Adsiis.dll", "4.2.754.0")], NOTHING, Applies),
        (&[("Adsiis.dll", "4.2.755.0")], NOTHING, AlreadyFixed),
    ),
    article(
        "Q277632",
        (&[("Iisext.dll", "5.0.2195.2412")], NOTHING, Applies),
        (&[("Iisext.dll", "5.0.2195.2413")], NOTHING, AlreadyFixed),
    ),
    article(
        "Q197377",
        (NOTHING, &[("Windows NT 4.0", "SP4")], Possible),
        (NOTHING, &[("Windows NT 4.0", "SP5")], AlreadyFixed),
    ),
    article(
        "Q224190",
        (NOTHING, &[("Windows NT 4.0", "SP4")], Possible),
        (NOTHING, &[("Windows NT 4.0", "SP5")], AlreadyFixed),
    ),
    article("KB893420", (NOTHING, NOTHING, Possible), (NOTHING, X2003, Possible)),
    article(
        "KB901014",
        (&[("Mapi32.dll", "6.5.7232.75")], X2003, Possible),
        (&[("Mapi32.dll", "6.5.7232.75")], X55_SP4, DoesNotApply),
    ),
    article("KB898782", (NOTHING, X2003, Possible), (NOTHING, X55_SP4, DoesNotApply)),
    article(
        "KB911289",
        (&[("Mad.exe", "6.0.6249.4")], NOTHING, Possible),
        (&[("Mad.exe", "6.5.7226.0")], NOTHING, DoesNotApply),
    ),
    article(
        "KB944903",
        (&[("Inetinfo.exe", "6.0.3790.0")], X2003, Possible),
        (&[("Inetinfo.exe", "6.0.3790.0")], X2000, DoesNotApply),
    ),
    article(
        "KB910932",
        (NOTHING, &[("Windows Server 2003", "SP1")], Possible),
        (NOTHING, &[("Windows Server 2000", "SP4")], DoesNotApply),
    ),
];

fn with(entry: &Entry, (loaded, products, _): (Loaded, Loaded, Status)) -> Suspect {
    let suspect = showing(entry, loaded);
    products.iter().fold(suspect, |suspect, (name, level)| suspect.product(name, level))
}

#[test]
fn every_article_with_the_fault_and_without_it() {
    let catalogue = Catalogue::embedded().unwrap();
    for article in &ARTICLES {
        let entry = catalogue.get(article.id).unwrap_or_else(|| panic!("{} is there", article.id));
        for (case, what) in [(article.faulty, "with the fault"), (article.fixed, "without it")] {
            expect(&catalogue, &with(entry, case), article.id, case.2, what);
        }
        let other = with(entry, article.faulty).of_kind(EvidenceKind::OverRelease);
        expect(&catalogue, &other, article.id, DoesNotApply, "another kind of evidence");
    }
}

/// By the projects' histories: each tag, and whether the change is in its source. A branch that was maintained beside the main
/// one got the same change under another commit, and some faults came and went between two releases.
#[test]
fn a_fix_in_an_older_branch_and_a_fault_in_no_release_accuse_nobody() {
    let catalogue = Catalogue::embedded().unwrap();
    for (id, file, cases) in [
        (
            "MOSQUITTO-20feb103",
            "mosquitto",
            &[("1.6.10", Applies), ("1.6.11", AlreadyFixed), ("1.6.15", AlreadyFixed)][..],
        ),
        (
            "MOSQUITTO-c1b009e4",
            "mosquitto",
            &[
                ("1.5.9", Possible),
                ("1.5.10", AlreadyFixed),
                ("1.6.11", Possible),
                ("2.0.0", AlreadyFixed),
            ],
        ),
        (
            "MOSQUITTO-42163634",
            "mosquitto",
            &[("1.6.14", Possible), ("1.6.15", AlreadyFixed), ("2.0.10", Possible)],
        ),
        (
            "MOSQUITTO-4392320b",
            "mosquitto",
            &[("1.6.9", AlreadyFixed), ("1.6.15", AlreadyFixed), ("1.5.11", DoesNotApply)],
        ),
        (
            "MOSQUITTO-9d95cba9",
            "mosquitto",
            &[("1.6.15", DoesNotApply), ("2.0.10", DoesNotApply), ("2.0.11", Possible)],
        ),
        (
            "LIBZMQ-68151385",
            "libzmq.so.5",
            &[
                ("4.0.9", Possible),
                ("4.0.10", AlreadyFixed),
                ("4.1.7", Possible),
                ("4.1.8", AlreadyFixed),
                ("4.2.5", Possible),
                ("4.3.2", Possible),
            ],
        ),
        ("OPENDKIM-4e5f17de", "opendkim", &[("2.10.0-beta0", AlreadyFixed)]),
        ("NNG-c40cc5d1", "libnng.so.1", &[("1.1.0", DoesNotApply), ("1.1.1", Possible)]),
        ("NNG-c2ba57e7", "libnng.so.1", &[("1.1.0", DoesNotApply), ("1.1.1", Possible)]),
        ("LIBZMQ-b02bdd56", "libzmq.so.5", &[("4.3.1", DoesNotApply), ("4.3.2", Possible)]),
        ("ZNC-8748abb5", "znc", &[("1.6.5", DoesNotApply), ("1.6.6", Possible)]),
        ("LIBZMQ-3be093c2", "libzmq.so.5", &[("4.3.6", Possible)]),
        ("LIBETPAN-927225b3", "libetpan.so.20", &[("1.10.2", Possible)]),
        ("RABBITMQ-C-67da8c76", "amqp-get", &[("0.15.0", Applies), ("0.16.0", AlreadyFixed)]),
    ] {
        let entry = catalogue.get(id).unwrap();
        for &(version, status) in cases {
            expect(&catalogue, &showing(entry, &[(file, version)]), id, status, version);
        }
    }
    // A package is made from a release of some branch, and judged as one.
    let packaged = |version, function| {
        Suspect::accumulating("mosquitto")
            .module("mosquitto", "")
            .package(PackageManager::Dpkg, version, Some("debian 12"))
            .blame("mosquitto", function)
            .allocated_by(Function::Calloc)
            .frame("mosquitto", "handle__subscribe")
            .frame("mosquitto", "main")
    };
    let made = packaged("2.0.11-1.2+deb12u2", "sub__add_normal");
    expect(&catalogue, &made, "MOSQUITTO-9d95cba9", DoesNotApply, "made from a release");
    for (version, status) in [("1.6.12-1", AlreadyFixed), ("1.6.10-1", Possible)] {
        let package = packaged(version, "packet__read_string");
        expect(&catalogue, &package, "MOSQUITTO-20feb103", status, version);
    }
}

/// By the projects' histories: where a fault begins. A release in which the faulty code is not is never accused, one that no
/// tag shows is left open, and the oldest that has it is told like the newest.
#[test]
fn a_release_without_the_faulty_code_is_not_accused() {
    const SO: &str = "librabbitmq.so.4";
    const NNG: &str = "libnng.so.1";
    const PAN: &str = "libetpan.so.20";
    const ZMQ: &str = "libzmq.so.5";
    const LIBM: &str = "libmosquitto.so.1";
    type Cases = &'static [(&'static str, Status)];
    let catalogue = Catalogue::embedded().unwrap();
    let table: [(&str, &str, Cases); 49] = [
        ("RABBITMQ-C-0f1f75b5", SO, &[("0.2", DoesNotApply), ("0.3.0", Applies)]),
        ("RABBITMQ-C-100271ac", SO, &[("0.0.1", Possible), ("0.1", Applies)]),
        ("RABBITMQ-C-55ac2027", SO, &[("0.0.1", Possible), ("0.1", AlreadyFixed)]),
        ("RABBITMQ-C-67da8c76", "amqp-get", &[("0.13.0", Possible), ("0.14.0", Applies)]),
        ("RABBITMQ-C-8dab630d", SO, &[("0.7.1", DoesNotApply), ("0.8.0", Possible)]),
        ("RABBITMQ-C-d6000f44", SO, &[("0.3.0", DoesNotApply), ("0.4.0", Possible)]),
        ("NNG-5c0f6268", NNG, &[("1.1.0", DoesNotApply), ("1.1.1", Possible)]),
        ("NNG-45a4f21d", NNG, &[("1.0.0", DoesNotApply), ("1.0.1", Possible)]),
        ("NNG-84c32ea0", NNG, &[("0.9.0", Possible), ("1.0.0-beta.1", AlreadyFixed)]),
        ("NNG-759a2e9d", NNG, &[("1.0.1", Possible), ("1.1.0", Possible)]),
        ("NNG-dcb89245", NNG, &[("0.9.0", Possible), ("1.0.0", Possible)]),
        ("NNG-2f66b998", NNG, &[("1.5.2", Possible), ("1.6.0", AlreadyFixed)]),
        ("NNG-1a9b1a0a", NNG, &[("0.9.0", DoesNotApply), ("1.0.0-beta.1", Applies)]),
        ("LIBETPAN-5b43488b", PAN, &[("1.1", Possible), ("1.2", Applies)]),
        ("LIBETPAN-ddf1d98f", PAN, &[("1.1", Possible), ("1.2", Applies)]),
        ("LIBETPAN-927225b3", PAN, &[("1.1", Possible), ("1.2", Applies)]),
        ("LIBETPAN-d5d46b8d", PAN, &[("1.1", Possible), ("1.2", Applies)]),
        ("LIBETPAN-77f3cdaa", PAN, &[("1.3-pre2", DoesNotApply), ("1.4", Applies)]),
        ("LIBETPAN-bfa923da", PAN, &[("1.1", DoesNotApply), ("1.2", Possible)]),
        ("LIBETPAN-e35910de", PAN, &[("1.0", Possible), ("1.1", Applies)]),
        ("LIBZMQ-1b79da0d", ZMQ, &[("3.2.0", Possible), ("4.1.8", Possible)]),
        ("LIBZMQ-367cedb7", ZMQ, &[("4.1.8", DoesNotApply), ("4.2.0", Applies)]),
        ("LIBZMQ-3be093c2", ZMQ, &[("4.1.8", DoesNotApply), ("4.2.0", Applies)]),
        ("LIBZMQ-821ab88f", ZMQ, &[("4.1.8", DoesNotApply), ("4.2.0", Possible)]),
        ("LIBZMQ-69355730", ZMQ, &[("3.2.5", Possible), ("4.1.8", Possible)]),
        ("LIBZMQ-bdc676f6", ZMQ, &[("3.1.0", Possible), ("4.1.8", Possible)]),
        ("LIBZMQ-68151385", ZMQ, &[("3.2.5", Possible), ("4.0.10", AlreadyFixed)]),
        ("MOSQUITTO-00b24e0e", "mosquitto", &[("1.5.11", DoesNotApply), ("1.6", Applies)]),
        ("MOSQUITTO-0a9ee5b4", LIBM, &[("1.4.15", Possible), ("1.5", Applies)]),
        ("MOSQUITTO-0f705256", "mosquitto", &[("1.5.11", DoesNotApply), ("1.6", Applies)]),
        ("MOSQUITTO-20feb103", "mosquitto", &[("1.5.11", DoesNotApply), ("1.6", Applies)]),
        ("MOSQUITTO-3c48b501", "mosquitto", &[("1.6.15", DoesNotApply), ("2.0.0", Applies)]),
        ("MOSQUITTO-42163634", "mosquitto", &[("1.5.11", DoesNotApply), ("1.6.9", Possible)]),
        ("MOSQUITTO-4253eca8", LIBM, &[("1.5.11", DoesNotApply), ("1.6", Applies)]),
        ("MOSQUITTO-51ec5601", "mosquitto", &[("1.3.1", Possible), ("1.4.15", Possible)]),
        ("MOSQUITTO-53c71b2a", "mosquitto", &[("1.3.5", Possible), ("1.4", Applies)]),
        ("MOSQUITTO-6113eac9", "mosquitto", &[("1.5.11", Possible), ("1.6", Possible)]),
        ("MOSQUITTO-79cc06b1", LIBM, &[("1.3.1", Possible), ("1.3.2", Applies)]),
        ("MOSQUITTO-7a3b69f2", "mosquitto", &[("1.5.11", Possible), ("2.0.0", Possible)]),
        ("MOSQUITTO-9018f12d", LIBM, &[("1.3.1", Possible), ("1.3.2", Applies)]),
        ("MOSQUITTO-a853be50", LIBM, &[("1.5.11", DoesNotApply), ("1.6", Applies)]),
        ("ZNC-80f9baf0", "znc", &[("1.6.6", DoesNotApply), ("1.7.0", Applies)]),
        ("ZNC-b822ea8e", "znc", &[("1.0", DoesNotApply), ("1.2", Applies)]),
        ("ZNC-b8330296", "znc", &[("0.096", DoesNotApply), ("0.098", Applies)]),
        ("ZNC-c21e60ad", "znc", &[("0.094", DoesNotApply), ("0.096", Applies)]),
        ("OPENDKIM-3670951d", "opendkim", &[("2.2.2", DoesNotApply), ("2.3.0", Applies)]),
        ("OPENDKIM-4e5f17de", "opendkim", &[("2.2.1", Possible), ("2.2.2", Applies)]),
        ("OPENDKIM-885d39a3", "libopendkim.so.2", &[("1.1.1", DoesNotApply), ("1.1.2", Applies)]),
        (
            "OPENDKIM-cc250802",
            "opendkim",
            &[("2.5.2", DoesNotApply), ("2.6.0-beta3", AlreadyFixed)],
        ),
    ];
    for (id, file, cases) in table {
        let entry = catalogue.get(id).unwrap();
        for &(version, status) in cases {
            expect(&catalogue, &showing(entry, &[(file, version)]), id, status, version);
        }
    }
    let shown = unfreed::fixes::show(catalogue.get("RABBITMQ-C-8dab630d").unwrap(), 200);
    assert!(shown.contains("no release, only builds from source after 0.8.0"), "{shown}");
    // What of upstream has neither a first faulty release nor an oldest that was seen accuses no number below its fix.
    for entry in catalogue.entries().filter(|entry| RELEASES.iter().any(|row| row.id == entry.id)) {
        for file in entry.lines.iter().flat_map(|line| &line.files) {
            let open = file.from.is_none() && file.seen_from.is_none();
            assert!(!open || file.end == End::NotStated, "{}: {}", entry.id, file.name);
        }
    }
}

/// IIS 4.0 has no versions for the fixed files of Q192295: their sizes are all there is.
#[test]
fn files_that_an_article_tells_by_their_sizes() {
    let catalogue = Catalogue::embedded().unwrap();
    let entry = catalogue.get("Q192295").unwrap();
    let sized = |infocomm, w3svc| {
        Suspect::accumulating("inetinfo.exe")
            .module("Schannel.dll", "4.86.1964.0")
            .module("infocomm.dll", "4.2.622.1")
            .size(infocomm)
            .module("w3svc.dll", "4.2.622.1")
            .size(w3svc)
            .blame("Schannel.dll", "")
            .frame("w3svc.dll", "")
    };
    assert_eq!(entry.faulty.module, None, "what allocates is not what is replaced");
    expect(&catalogue, &sized(180_000, 220_000), "Q192295", Possible, "other sizes");
    expect(&catalogue, &sized(184_192, 220_000), "Q192295", Possible, "one of two");
    expect(&catalogue, &sized(184_192, 226_864), "Q192295", AlreadyFixed, "both");
}

/// What nothing that is traced can be, or whose source states too little for a dump or a stack to be held against: it is told of
/// beside others, and accuses nobody.
#[test]
fn knowledge_matches_nothing_and_is_told_where_it_helps() {
    let catalogue = Catalogue::embedded().unwrap();
    for id in [
        "Q199817",
        "Q249245",
        "Q260141",
        "LIBZMQ-6436bc51",
        "KB307522",
        "KB814465",
        "KB823343",
        "KB824960",
        "KB957213",
    ] {
        let entry = catalogue.get(id).unwrap();
        assert_eq!(entry.signature.evidence, EvidenceKind::Untraced, "{id}");
        assert!(entry.crash.is_none(), "{id}");
        for kind in [EvidenceKind::Crash, EvidenceKind::OverRelease, EvidenceKind::Handles] {
            expect(
                &catalogue,
                &showing(entry, &[]).of_kind(kind),
                id,
                DoesNotApply,
                "any evidence",
            );
        }
        let page = unfreed::fixes::show(entry, 100);
        assert!(page.contains("Never matched"), "{page}");
        let suspect =
            showing(entry, &[("Infocomm.dll", "4.2.737.0")]).of_kind(EvidenceKind::Accumulation);
        expect(&catalogue, &suspect, id, DoesNotApply, "growth");
    }
    let open =
        showing(catalogue.get("Q265514").unwrap(), &[]).product("Exchange Server 5.5", "SP3");
    let found = held(&catalogue, &open, "Q265514");
    assert!(found.related.iter().any(|says| says.contains("Q260141")), "{:?}", found.related);
    let https = showing(catalogue.get("Q192295").unwrap(), &[]);
    let found = held(&catalogue, &https, "Q192295");
    assert!(found.related.iter().any(|says| says.contains("Q249245")), "{:?}", found.related);
}

/// 1.6.10's ChangeLog has a title that fits what 2.0.7 fixed. Versions and commits tell them apart; the title does not.
#[test]
fn two_fixes_of_one_title() {
    let catalogue = Catalogue::embedded().unwrap();
    let (earlier, later) = ("MOSQUITTO-eeaafed4", "MOSQUITTO-7a3b69f2");
    let rejected = |version| {
        Suspect::accumulating("mosquitto")
            .module("mosquitto", version)
            .blame("mosquitto", "context__init")
            .frame("mosquitto", "net__socket_accept")
            .frame("mosquitto", "main")
            .allocated_by(Function::Calloc)
    };
    for (version, of_earlier, of_later) in [
        ("1.6.9", Possible, Possible),
        ("1.6.10", AlreadyFixed, Possible),
        ("1.6.15", AlreadyFixed, Possible),
        ("2.0.6", AlreadyFixed, Possible),
        ("2.0.7", AlreadyFixed, AlreadyFixed),
        ("2.0.18", AlreadyFixed, AlreadyFixed),
    ] {
        let suspect = rejected(version);
        expect(&catalogue, &suspect, earlier, of_earlier, version);
        expect(&catalogue, &suspect, later, of_later, version);
    }
    // At 2.0.6 the one that is still open goes first, and the other says why it is not it.
    let all = explain(&catalogue, &rejected("2.0.6").evidence());
    let place = |id: &str| all.iter().position(|found| found.id == id).unwrap();
    assert!(place(later) < place(earlier));
    let told = &all[place(earlier)].related;
    assert!(told.iter().any(|says| says.contains(later)), "{told:?}");
}

/// A process that grows and a product that is known: without both, a process's name accuses nobody.
#[test]
fn a_name_of_a_process_is_not_evidence() {
    let catalogue = Catalogue::embedded().unwrap();
    for process in
        ["Store.exe", "Emsmta.exe", "Dsamain.exe", "Mad.exe", "Inetinfo.exe", "Async.exe"]
    {
        let unknown = Suspect::accumulating(process).module(process, "").blame(process, "f");
        for found in explain(&catalogue, &unknown.evidence()) {
            assert_eq!(found.status, DoesNotApply, "{process}: {}", found.id);
        }
        let elsewhere = Suspect::accumulating(process)
            .module(process, "15.0.1497.2")
            .fact(FactKind::Product, "Exchange Server 2013", Some("CU23"))
            .blame(process, "f");
        for found in explain(&catalogue, &elsewhere.evidence()) {
            assert_eq!(found.status, DoesNotApply, "{process}: {}", found.id);
        }
    }
}

/// All that the catalogue has is in one of the tables above or in `articles.rs`.
#[test]
fn no_entry_is_without_a_test() {
    const ELSEWHERE: [&str; 16] = [
        "KB843523",
        "KB891509",
        "KB896064",
        "KB900326",
        "MOSQUITTO-5f57de21",
        "Q265514",
        "Q192295",
        "Q199817",
        "Q249245",
        "Q260141",
        "LIBZMQ-6436bc51",
        "KB307522",
        "KB814465",
        "KB823343",
        "KB824960",
        "KB957213",
    ];
    let tabled = RELEASES.iter().map(|row| row.id).chain(ARTICLES.iter().map(|article| article.id));
    let mut known: Vec<&str> = tabled.chain(ELSEWHERE).collect();
    known.sort_unstable();
    let catalogue = Catalogue::embedded().unwrap();
    let all: Vec<&str> = catalogue.entries().map(|entry| entry.id.as_str()).collect();
    assert_eq!(known, all);
}
