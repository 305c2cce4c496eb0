//! Drafts from articles in every layout that the founding ones come in. The articles here are made up, in words of their
//! own, with the layouts of real ones: a title with the number in brackets, a line with everything in it, an archive's
//! page without a title, a document with fields.

use std::path::Path;

use proptest::prelude::*;
use unfreed::fixes::draft::{Draft, draft};
use unfreed::fixes::{Catalogue, CatalogueError, EvidenceKind};

/// Title with number, bullets, headings in capitals, `Date Time Version Size File name`.
const TITLED: &str = "\
A made-up program grows while it synchronizes (843000)

The information in this article applies to:

  • Microsoft Exchange Server 2003 Standard Edition
  • Microsoft Exchange Server 2003 Standard Edition, Service Pack 1 (SP1)

SYMPTOMS

A made-up memory leak is seen.

CAUSE

Made-up calls to the IMadeUp::Synchronize() method or to the IMadeUp::UpdateState() method do it.

RESOLUTION

Hotfix information

A made-up hotfix is there.

Prerequisites

This hotfix requires Exchange Server 2003 Service Pack 1. For more, see:

836993 How to obtain made-up packs

Restart requirement

You do not have to restart your computer. However, these are restarted:
  • Made-up Stacks
  • Made-up Store

Hotfix replacement information

This hotfix does not replace any other hotfixes.

File information

The made-up file follows.
   Date         Time   Version            Size    File name
   --------------------------------------------------------------
   23-Jul-2004  18:55  6.5.7232.18       975,872  Emsmdb32.dll

STATUS

Made-up makers confirm it.

Modification Type:MinorLast Reviewed:6/1/2006
Keywords:kbQFE kbHotfixServer KB843000
";

/// Headings run into the text, a table flattened into one line, a registry value, no list of products.
const RUN_IN: &str = "\
Article ID: 891000 - Last Review: October 30, 2007 - Revision: 1.9 A made-up leak when programs log on
On This PageSYMPTOMSA made-up program may show a memory leak. CAUSEMade-up code is not enabled. RESOLUTIONHotfix informationA made-up hotfix is there.PrerequisitesYou must be running Exchange 2003 Service Pack 1 (SP1) to install this hotfix. Restart requirementYou do not have to restart your computer.Hotfix replacement informationThis hotfix does not replace any other hotfixes.File informationThe made-up table is in the Control Panel.Date Time Version Size File name -------------- 28-Jan-2005 03:13 6.5.7232.75 708,608 Cdo.dll 28-Jan-2005 03:12 6.5.7232.75 635,904 Mapi32.dll Hotfix installation informationNote It adds a value: HKEY_LOCAL_MACHINE\\SOFTWARE\\Made\\Up Note Set this registry value to \"1\" to enable it. Value name: CleanUp Value type: REG_DWORD Value data: 0 or 1 STATUSMade-up makers confirm it. MORE INFORMATION
824000
Made-up words
";

/// An archive's page: no title, `APPLIES TO`, `File name File version File size Date Time Platform`.
const ARCHIVED: &str = "\
Microsoft KB Archive/900000

From a Made-up Wiki

Article ID: 900000

Article Last Modified on 10/25/2007

APPLIES TO

  • Microsoft Exchange Server 2003 Standard Edition

SYMPTOMS

A made-up access violation ends the Inetinfo.exe process.

CAUSE

A message usage count goes wrong.

RESOLUTION

File information

File name File version File size Date Time Platform
Drviis.dll 6.5.7233.31 133,632 25-Jun-2005 03:04 x86
Exsmtp.dll 6.5.7233.31 398,336 25-Jun-2005 03:35 x86

Keywords: kbqfe kbhotfixserver KB900000
";

/// An archive's page with a title, headings in small letters, keywords and an article's card at the end.
const CARDED: &str = "\
Notice: This website is a made-up archive with a disclaimer.

When a made-up program runs, its server may stop answering

View products that this article applies to.

Symptoms

The Private Bytes counter of a made-up process grows.

Cause

A made-up leak in the Cdoexm.dll file.

Resolution

Prerequisites

  • You must be running Microsoft Exchange 2000 Server Service Pack 3 (SP3).
    301378\u{fffd} How to obtain made-up packs
  • You must have the August 2004 made-up rollup installed.
    870540\u{fffd} Availability of the made-up rollup

File information
   Date         Time   Version            Size    File name
   18-Apr-2005  04:47  6.0.6617.63     2,109,440  Cdoexm.dll

Keywords: KB896000, kbbug, kbhotfixserver

Article Info
Article ID : 896000
Revision : 4
";

/// A document with fields, underlined headings, a service pack and no file.
const DOCUMENT: &str = "\
DOCUMENT:Q265000  08-MAY-2002  [exchange]
TITLE   :XCLN: Made-up Fix for a Made-up Leak
PRODUCT :Microsoft Exchange

======================================================================
The information in this article applies to:

 - Microsoft Exchange Server, version 5.5 SP3
----------------------------------------------------------------------

   Q237000 XIMS: A Made-up Title

SYMPTOMS
========

Calls to IMadeUp::OpenStore leak memory: a made-up memory leak.

RESOLUTION
==========

Get the latest made-up pack.

STATUS
======

This problem was first corrected in Exchange Server 5.5 Service
Pack 4.
";

fn of(text: &str) -> Draft {
    let draft = draft(text);
    sound(text, &draft);
    draft
}

/// What holds of every draft: it is TOML, and its comments name lines that there are.
fn sound(article: &str, draft: &Draft) {
    let table: Result<toml::Table, _> = draft.text.parse();
    assert!(table.is_ok(), "{}\n{:?}", draft.text, table.err());
    let lines = article.lines().count();
    for line in draft.text.lines().filter_map(|line| line.strip_prefix("# line ")) {
        let number = line.split([':', ' ']).next().unwrap();
        let number: usize = number.parse().unwrap();
        assert!((1..=lines).contains(&number), "{line}");
    }
}

/// Says in place of a reader what a draft leaves to be said, and reads it as an entry.
fn finished(draft: &Draft, product: &str) -> unfreed::fixes::entry::Entry {
    let path = format!("{}.toml", draft.id);
    let Err(CatalogueError::Wrong(problems)) =
        Catalogue::parse_entry(&draft.text, Path::new(&path))
    else {
        panic!("a draft is no entry yet");
    };
    assert!(problems.iter().any(|problem| problem.text.contains("`symptom` is empty")));
    let text = draft
        .text
        .replace("symptom = \"\"", "symptom = \"s\"")
        .replace("cause = \"\"", "cause = \"c\"")
        .replace("title = \"\"", "title = \"t\"")
        .replace("product = \"\"", &format!("product = \"{product}\""))
        .replace("steps = []", "steps = [\"Install it.\"]");
    Catalogue::parse_entry(&text, Path::new(&path))
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn files(entry: &unfreed::fixes::entry::Entry) -> Vec<(String, String)> {
    let files = entry.lines.iter().flat_map(|line| &line.files);
    files.map(|file| (file.name.clone(), file.fixed.as_ref().unwrap().to_string())).collect()
}

fn pair(name: &str, version: &str) -> (String, String) {
    (name.to_owned(), version.to_owned())
}

#[test]
fn an_article_with_title_and_table() {
    let draft = of(TITLED);
    let entry = finished(&draft, "");
    assert_eq!(entry.id, "KB843000");
    assert_eq!(entry.title, "A made-up program grows while it synchronizes");
    assert_eq!(entry.applies_to.len(), 2);
    assert_eq!(entry.lines[0].product, "Exchange Server 2003");
    assert_eq!(files(&entry), [pair("Emsmdb32.dll", "6.5.7232.18")]);
    assert_eq!(entry.signature.frames[0].any, ["IMadeUp::Synchronize", "IMadeUp::UpdateState"]);
    assert_eq!(entry.signature.evidence, EvidenceKind::Accumulation);
    assert_eq!(entry.prerequisites[0].what, "Exchange Server 2003 Service Pack 1");
    assert_eq!(entry.prerequisites[0].see.as_deref(), Some("article 836993"));
    assert_eq!(entry.restart.services.unwrap(), ["Made-up Stacks", "Made-up Store"]);
    assert_eq!(entry.sources[0].revision.as_deref(), Some("last reviewed 6/1/2006"));
    // What was not understood stays, with its line.
    assert!(draft.text.contains("# line 30: However, these are restarted:"), "{}", draft.text);
}

#[test]
fn an_article_in_one_line() {
    let draft = of(RUN_IN);
    let entry = finished(&draft, "Exchange Server 2003");
    assert_eq!(
        (entry.id.as_str(), entry.title.as_str()),
        ("KB891000", "A made-up leak when programs log on")
    );
    assert_eq!(
        entry.sources[0].revision.as_deref(),
        Some("revision 1.9, last reviewed October 30, 2007")
    );
    assert_eq!(files(&entry), [pair("Cdo.dll", "6.5.7232.75"), pair("Mapi32.dll", "6.5.7232.75")]);
    assert_eq!(entry.settings[0].name, r"HKEY_LOCAL_MACHINE\SOFTWARE\Made\Up\CleanUp");
    assert_eq!(entry.settings[0].on, "1");
    assert_eq!(entry.settings[0].read, r#"reg query "HKLM\SOFTWARE\Made\Up" /v CleanUp"#);
    assert_eq!(entry.prerequisites[0].what, "Exchange 2003 Service Pack 1 (SP1)");
    assert!(draft.text.contains("# line 2: Made-up code is not enabled."), "{}", draft.text);
    assert!(draft.text.contains("# line 4: Made-up words"), "{}", draft.text);
}

#[test]
fn an_article_without_a_title() {
    let entry = finished(&of(ARCHIVED), "");
    assert_eq!((entry.id.as_str(), entry.title.as_str()), ("KB900000", "t"));
    assert_eq!(
        files(&entry),
        [pair("Drviis.dll", "6.5.7233.31"), pair("Exsmtp.dll", "6.5.7233.31")]
    );
    assert_eq!(entry.signature.evidence, EvidenceKind::OverRelease, "a use count, not its crash");
    assert_eq!(entry.signature.processes, ["Inetinfo.exe"]);
    assert_eq!(entry.sources[0].revision.as_deref(), Some("last modified 10/25/2007"));
}

#[test]
fn an_article_with_a_card() {
    let entry = finished(&of(CARDED), "Exchange Server 2000");
    assert_eq!(entry.id, "KB896000");
    assert_eq!(entry.title, "When a made-up program runs, its server may stop answering");
    assert_eq!(files(&entry), [pair("Cdoexm.dll", "6.0.6617.63")]);
    assert_eq!(entry.signature.modules.unwrap().any, ["Cdoexm.dll"]);
    let see: Vec<_> =
        entry.prerequisites.iter().map(|wanted| wanted.see.as_deref().unwrap()).collect();
    assert_eq!(see, ["article 301378", "article 870540"]);
    assert_eq!(entry.sources[0].revision.as_deref(), Some("revision 4"));
}

#[test]
fn an_article_with_fields_and_a_service_pack() {
    let entry = finished(&of(DOCUMENT), "");
    assert_eq!(
        (entry.id.as_str(), entry.title.as_str()),
        ("Q265000", "Made-up Fix for a Made-up Leak")
    );
    assert_eq!(entry.lines[0].product, "Exchange Server 5.5");
    assert_eq!(entry.lines[0].fixed_level.unwrap().to_string(), "SP4");
    assert!(entry.lines[0].files.is_empty());
    assert_eq!(entry.signature.frames[0].any, ["IMadeUp::OpenStore"]);
    assert_eq!(entry.relations[0].id, "Q237000");
}

const OTHERWISE: &str = "\
A made-up program is slow (812000)

SYMPTOMS

Made-up code handles messages slowly.

CAUSE

Made.dll is slow.

RESOLUTION

Restart requirement

You may have to restart your computer. You must restart the Made-up Store service.

File information

Date Time Version Size File name 23-Jul-2004 18:55 6.5.7232.18 975,872 Made.htm 24-Jul-2004 19:55 12,345 Up.dll
25-Jul-2004  18:55  1.2.3.4  975,872  Made.dll  x64

Registry: HKEY_LOCAL_MACHINE\\SOFTWARE\\Made
 Value name: Up\"&calc
 Value type: REG_SZ
 Set this registry value to \"1\".
";

#[test]
fn what_an_article_does_not_say_is_not_made_up() {
    let draft = of(OTHERWISE);
    for key in ["\nkind = ", "\nevidence = ", "\ncomputer = ", "[[settings]]", "REG_DWORD"] {
        assert!(!draft.text.contains(key), "{key}: {}", draft.text);
    }
    // The version of a file of another kind is not the next one's, and neither it nor a date is lost.
    assert!(
        draft.text.contains(
            "name = \"Up.dll\"\naffected = { from = \"not stated\", before = \"not stated\" }"
        ),
        "{}",
        draft.text
    );
    for rest in [
        "6.5.7232.18 975,872 Made.htm",
        "of the article: 24-Jul-2004 19:55 12,345 Up.dll",
        "of the article: 25-Jul-2004 18:55 1.2.3.4 975,872 Made.dll",
        ": You may have to restart your computer.",
        ": You must restart the Made-up Store service.",
        "Value name: Up\"&calc",
        "# A registry value is named, of which not all was understood",
    ] {
        assert!(draft.text.contains(rest), "{rest}: {}", draft.text);
    }
    // A value's name with blanks is one name, and its type is the article's.
    let spaced = OTHERWISE.replace("Up\"&calc", "Up and away");
    let draft = of(&spaced).text;
    let set = r#"set = "reg add \"HKLM\\SOFTWARE\\Made\" /v \"Up and away\" /t REG_SZ /d 1""#;
    assert!(draft.contains(set), "{draft}");
}

#[test]
fn a_text_that_is_no_article_is_all_comments() {
    let draft = of("nothing\nthat is known\n");
    assert_eq!(draft.id, "DRAFT");
    assert!(draft.text.contains("# line 1: nothing\n# line 2: that is known"), "{}", draft.text);
    sound("", &of(""));
    let long = "word ".repeat(300_000);
    assert!(of(&long).text.contains("longer than what is read"));
}

proptest! {
    #[test]
    fn no_text_makes_a_draft_that_is_no_toml(text in "(\\PC|\n){0,300}") {
        of(&text);
    }

    /// Damaged articles reach what noise does not.
    #[test]
    fn no_damaged_article_does_either(
        which in 0usize..5,
        at in 0usize..2000,
        length in 0usize..60,
        by in "[A-Z:.\" \\\\•\u{fffd}\n0-9-]{0,12}",
    ) {
        let whole = [TITLED, RUN_IN, ARCHIVED, CARDED, DOCUMENT][which];
        let start = whole.floor_char_boundary(at.min(whole.len()));
        let end = whole.floor_char_boundary((at + length).min(whole.len()));
        of(&format!("{}{by}{}", &whole[..start], &whole[end..]));
    }
}
