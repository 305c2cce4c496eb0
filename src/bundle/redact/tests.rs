//! Names in texts of every form that somebody may have written them in.

use super::Redactor;
use crate::event::{Address, Bytes, Event, Module, ModuleId, Process, ProcessId, Tid, Time, What};
use unfreed_symbols::ModuleIdentity;

fn told(what: What) -> Event {
    Event { time: Time(0), process: ProcessId(0), thread: Tid(0), what }
}

fn redactor() -> Redactor {
    Redactor::new(&["jdoe".to_owned()], &["mail01.corp.example".to_owned()])
}

#[test]
fn names_in_texts_become_tokens_and_the_same_name_the_same() {
    let mut redactor = redactor();
    for (text, redacted) in [
        ("login of JDOE on mail01", "login of user-1 on host-1"),
        ("jdoes work", "jdoes work"),
        ("to a.b@corp.example.", "to mail-1."),
        ("/home/jdoe/plan b/x.db gone", "/home/user-1/path-1/path-2 gone"),
        (r"C:\Documents and Settings\JDoe\q.pst", r"C:\Documents and Settings\user-1\path-3"),
        (r"\\MAIL01\Process(store)", r"\\host-1\path-4(store)"),
        (r"D:\Big client\Numbers of 2004.mdb is open", r"D:\path-5\path-6 is open"),
        (r"D:\Big client fails in store.exe", r"D:\path-7 client fails in store.exe"),
        ("version 6.0.6617.47", "version 6.0.6617.47"),
        ("3 km/h and/or 1/2", "3 km/h and/or 1/2"),
    ] {
        assert_eq!(redactor.text(text), redacted, "{text}");
    }
    assert_eq!(redactor.key()["user-1"].to_lowercase(), "jdoe");
}

#[test]
fn no_way_to_write_a_name_hides_it() {
    let secrets =
        ["jdoe", "jane", "roe", "acme", "hunter2", "vault9", "corp", "10.1.2.3", "2001:db8"];
    for text in [
        "-L/home/jdoe/acme/lib -I/opt/acme",
        "file:///home/jdoe/acme/x.c",
        "https://jdoe:hunter2@vault9.corp.example:8443/acme?user=jane#roe",
        "https://jdoe:hunt/er2!hunter2@vault9/x",
        "https://symbols.acme.example/download, and ftp://acme/",
        "http://10.1.2.3:80/acme and 10.1.2.3:25, 10.1.2.3",
        "http://[2001:db8::7]:80/ and 2001:db8::7 on 00:1a:2b:3c:4d:5e",
        r"C:\Program Files (x86)\Acme\jane.ini",
        r"\\?\C:\Users\jdoe\acme\x.ini and \\?\UNC\vault9\acme\x",
        r"\??\C:\Users\jane\x and \Device\HarddiskVolume2\Users\jane\acme",
        "//vault9/acme/x and smb://vault9/acme",
        "%2Fhome%2Fjdoe%2Facme and C%3A%5CUsers%5Cjane",
        "to jane.roe%40corp.example, jane.roe@vault9",
        "backup_jdoe.tar of JDOE, svc_jdoe_2",
        "\u{130}stanbul: JDOE; \u{1e9e} jdoe",
        "/home/o'jane/x '/home/jdoe/roe acme/my acme' \"/srv/jane roe\"",
        "/srv/a,acme/x;/srv/acme;b/y",
        "~jdoe/acme and ~/acme/x",
        "/var/mail/jane, /var/spool/cron/crontabs/jane: jane",
        "/media/jane/acme",
        "S-1-5-21-1004336348-1177238915-682003330-512",
    ] {
        let mut redactor = redactor();
        redactor.learn_text(text);
        let redacted = redactor.text(text);
        let lower = redacted.to_lowercase();
        for secret in secrets.iter().chain(&["1a:2b", "1177238915"]) {
            assert!(!lower.contains(secret), "{secret} in {redacted:?} of {text:?}");
        }
        assert!(!redactor.key().is_empty());
    }
}

#[test]
fn what_is_no_name_stays() {
    let mut redactor = Redactor::new(&["store".to_owned()], &["dll".to_owned(), "main".to_owned()]);
    let named = |name: &str| ModuleIdentity { name: name.to_owned(), ..ModuleIdentity::default() };
    let identity =
        ModuleIdentity { file_version: Some("10.0.1.7".to_owned()), ..named("Cdoexm.dll") };
    redactor.learn(&told(What::Module(Box::new(Module {
        id: ModuleId(0),
        identity,
        base: Address(0),
        size: Bytes(0),
    }))));
    for text in [
        "Cdoexm.dll 10.0.1.7 fails",
        "version 4.0.0.0 of 127.0.0.1, ::1, localhost",
        "kworker/u8:2 at 12:30:45",
        "std::a::b3 and dead::beef",
        "text/html; and/or",
    ] {
        assert_eq!(redactor.text(text), text);
    }
    for function in [
        "store::keep_all<int>(char const*, 2.2.5)",
        "Mail_main::operator/(Vec const&)",
        "malloc@GLIBC_2.2.5",
        "_read@8",
        "memcpy@plt",
        "foo::{lambda(int)#1}::operator()(int) const",
        "a::b2::c",
    ] {
        let keeps = function.replace("store::", "user-1::");
        assert_eq!(redactor.function(function), keeps);
    }
}

#[test]
fn options_tell_users_and_hosts_whatever_their_length() {
    let mut redactor = Redactor::default();
    let command = ["x", "--user=kim", "--host", "db", "-u", "lee", "--peers=alpha1,omega2"];
    let process = Process {
        name: "x".to_owned(),
        command: command.map(str::to_owned).to_vec(),
        ..Process::default()
    };
    redactor.learn(&told(What::Process(Box::new(process))));
    let redacted = redactor.text("kim and lee on db, with omega2");
    assert_eq!(redacted, "user-1 and user-2 on host-1, with argument-1");
}

#[test]
fn a_recording_with_blanks_in_its_name_is_replaced_whole() {
    let mut redactor = Redactor::default();
    redactor.learn_recording("/srv/acme/big client.unfreed");
    let redacted = redactor.text("/srv/acme/big client.unfreed: numbers");
    assert_eq!(redacted, "/srv/path-1/path-2: numbers");
}

#[test]
fn many_names_take_no_time_of_each_text() {
    let mut redactor = Redactor::default();
    for at in 0..50_000 {
        redactor.learn_text(&format!("/home/user{at}x/y"));
    }
    for at in 0..2_000 {
        let text = format!("mail of user{at}x, delivered");
        assert!(redactor.text(&text).starts_with("mail of user-"), "{text}");
    }
}
