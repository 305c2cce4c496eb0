//! Mail through both servers: what is sent, that it arrives whole and once, and that the servers say nothing of it that
//! they would not say untraced.

use std::collections::BTreeMap;
use std::time::Duration;

use super::imap::Inbox;
use super::mail::{MailServers, Stopped};
use super::process::LIMIT;
use super::smtp::Sender;

/// Messages of very different sizes, with every octet that 8BITMIME lets pass and lines that begin
/// with dots. The headers that Postfix would add are there already.
fn message(number: usize) -> Vec<u8> {
    let mut message = format!(
        "From: <sender@elsewhere.example>\r\nTo: <bob@example>\r\nSubject: number {number}\r\n\
         Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-Id: <{number}@elsewhere.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n"
    )
    .into_bytes();
    // From one line to about 100 KB.
    let lines = if number % 50 == 7 { 1_000 } else { 1 + number % 40 };
    // Marsaglia's xorshift: any numbers do, but always the same.
    let mut state = number as u64 * 2 + 1;
    for line in 0..lines {
        if line % 5 == 1 {
            message.extend_from_slice(&b".."[..1 + line % 2]);
        }
        for _ in 0..line * 13 % 200 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let octet = state as u8;
            let passes = !matches!(octet, 0 | b'\r' | b'\n');
            message.push(if passes { octet } else { b'.' });
        }
        message.extend_from_slice(b"\r\n");
    }
    message
}

/// Sends messages and fetches them; each must be there once, and whole, behind the lines that the
/// servers put before it.
pub fn deliver(servers: &MailServers, messages: usize, pause: Duration) {
    // A client that looks on, as most do.
    let mut inbox = Inbox::open(servers.imap(), "bob@example", "secret").unwrap();
    let mut sender = Sender::connect(servers.smtp()).unwrap();
    for number in 0..messages {
        sender.send("bob@example", &message(number)).unwrap();
        std::thread::sleep(pause);
    }
    sender.quit().unwrap();
    assert_eq!(inbox.wait_for(messages, LIMIT).unwrap(), messages);
    let mut fetched = BTreeMap::new();
    for stored in inbox.messages().unwrap() {
        let at = stored.windows(6).position(|at| at == b"From: ").expect("what was sent");
        let (before, sent) = stored.split_at(at);
        let before = String::from_utf8_lossy(before);
        assert!(before.starts_with("Return-Path: <sender@elsewhere.example>\r\n"), "{before}");
        let text = String::from_utf8_lossy(sent);
        let number = text.lines().find_map(|line| line.strip_prefix("Subject: number ")).unwrap();
        let number: usize = number.parse().unwrap();
        assert_eq!(sent, message(number), "message {number} is not as it was sent");
        assert!(fetched.insert(number, ()).is_none(), "message {number} came twice");
    }
    assert_eq!(fetched.len(), messages);
    inbox.logout().unwrap();
}

/// The servers say the same as untraced: nothing of warnings, errors or the loader.
pub fn assert_quiet(stopped: &Stopped) {
    for line in stopped.postfix_log.lines().chain(stopped.dovecot_log.lines()) {
        let low = line.to_lowercase();
        // Dovecot's word for being told to stop.
        let ours = low.contains("warning: killed with signal 15");
        let words = ["warning", "error", "fatal", "panic", "ld.so", "preload", "unfreed"];
        let bad = words.iter().any(|word| low.contains(word)) && !ours;
        assert!(!bad, "{line}\n{}{}", stopped.postfix_log, stopped.dovecot_log);
    }
    assert!(stopped.postfix_log.contains("status=sent"), "{}", stopped.postfix_log);
    assert!(stopped.dovecot_log.contains("saved mail to INBOX"), "{}", stopped.dovecot_log);
    assert_eq!((stopped.postfix.out(), stopped.dovecot.out()), (String::new(), String::new()));
    assert_eq!(daemons_words(&stopped.dovecot.err()), [""; 0]);
    // The shell in which `postfix start-fg` ends tells what became of its master.
    let words = stopped.postfix.err();
    assert!(daemons_words(&words).iter().all(|line| *line == "Terminated"), "{words}");
}

/// Standard error without what unfreed itself says there.
fn daemons_words(stderr: &str) -> Vec<&str> {
    stderr
        .lines()
        .take_while(|line| !line.starts_with("unfreed: "))
        .filter(|line| !line.starts_with(" WARN "))
        .collect()
}
