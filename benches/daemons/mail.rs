//! Postfix and Dovecot: SMTP in, LMTP between them, IMAP out, for ten users. Mailboxes are emptied now and
//! then, so that what is stored does not grow for as long as the soak lasts.

use std::time::Duration;

use crate::pace::Pace;
use crate::soak::{Recorder, Soaking, client};
use crate::support::imap::Inbox;
use crate::support::mail::{MailServers, Setup};
use crate::support::smtp::Sender;

const USERS: u64 = 10;
/// Clients that keep their connections, of each kind.
const STAYING: u64 = 2;
/// Dovecot's services may use 256 MiB of addresses by default, of which the agent takes more than half.
const NO_LIMIT: &str = "default_vsz_limit = 0\n";

/// Starts both with their clients.
pub fn start(recorder: &Recorder, pace: &Pace) -> Soaking {
    let (postfix, dovecot) = (recorder.prefix("postfix"), recorder.prefix("dovecot"));
    let servers = MailServers::start(&Setup {
        postfix_prefix: &postfix,
        dovecot_prefix: &dovecot,
        dovecot_conf: NO_LIMIT,
        ..Setup::default()
    });
    let (smtp, imap) = (servers.smtp(), servers.imap());
    let mut clients = Vec::new();
    for number in 0..STAYING {
        let mut sender = Sender::connect(smtp).unwrap();
        clients.push(client(pace.other(number), Duration::from_millis(700), move |pace| {
            let sent = sender.send(&user(pace), &message(pace));
            if sent.is_err() {
                // smtpd ends after so many connections or so much idling.
                sender = Sender::connect(smtp)?;
            }
            sent
        }));
        let mut inbox = Inbox::open(imap, &format!("user{number}@example"), "secret").unwrap();
        clients.push(client(pace.other(10 + number), Duration::from_secs(3), move |pace| {
            read(&mut inbox, pace)
        }));
    }
    clients.push(client(pace.other(20), Duration::from_millis(1_500), move |pace| {
        let mut sender = Sender::connect(smtp)?;
        for _ in 0..=pace.below(3) {
            sender.send(&user(pace), &message(pace))?;
        }
        sender.quit()
    }));
    clients.push(client(pace.other(21), Duration::from_millis(2_500), move |pace| {
        let mut inbox = Inbox::open(imap, &user(pace), "secret")?;
        read(&mut inbox, pace)?;
        inbox.logout()
    }));
    Soaking {
        name: "postfix and dovecot".to_owned(),
        clients,
        stop: Box::new(move || drop(servers.stop())),
    }
}

fn read(inbox: &mut Inbox, pace: &mut Pace) -> std::io::Result<()> {
    if inbox.count()? > 0 {
        inbox.messages()?;
    }
    if pace.below(4) == 0 { inbox.empty() } else { Ok(()) }
}

fn user(pace: &mut Pace) -> String {
    format!("user{}@example", pace.below(USERS))
}

fn message(pace: &mut Pace) -> Vec<u8> {
    let number = pace.below(1 << 40);
    let mut text = format!(
        "From: <sender@elsewhere.example>\r\nTo: <user@example>\r\nSubject: number {number}\r\n\
         Message-Id: <{number}@elsewhere.example>\r\n\r\n"
    );
    for line in 0..1 + pace.mostly_small(300) {
        text.push_str(&format!("{line} {}\r\n", "word ".repeat(pace.below(14) as usize)));
    }
    text.into_bytes()
}
