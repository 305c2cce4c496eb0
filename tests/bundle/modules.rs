//! The table of modules: what they lack, and who made them.

use super::*;

#[test]
fn modules_say_what_they_lack_and_whether_others_made_them() {
    let mut story = Synth::windows();
    let web = story.process("Inetinfo.exe");
    let made = |name: &str, version: &str, company: &str| {
        let pe = PeFacts { company: Some(company.to_owned()), ..PeFacts::default() };
        ModuleIdentity { pe: Some(pe), ..windows_module(name, version) }
    };
    for module in [
        made("Inetinfo.exe", "6.0.6617.1", "Server Works"),
        made("Cdoexm.dll", "6.0.6617.47", "Microsoft Corp."),
        made("avscan.dll", "1.0", "Contoso <b>"),
        windows_module("bare.dll", "1.0"),
    ] {
        story.module(web, module);
    }
    // Nothing is wrong, and still the version is what it is.
    story.churn(web, &CHURN, 100, 3000, 0.0..4.9, 0.05);
    let (home, trace) = written(&story.build());
    let report = analyze(&trace);
    let marks = |name: &str| {
        let modules = report["modules"].as_array().unwrap();
        let module = modules.iter().find(|module| module["name"] == name).unwrap();
        (module["third_party"].clone(), module["lacks"].clone())
    };
    let fix = serde_json::json!([{ "fix": "KB896064", "version": "6.0.6617.63" }]);
    let none = serde_json::json!([]);
    assert_eq!(marks("Cdoexm.dll"), (false.into(), fix));
    assert_eq!(marks("Inetinfo.exe"), (false.into(), none.clone()));
    assert_eq!(marks("avscan.dll"), (true.into(), none.clone()));
    assert_eq!(marks("bare.dll"), (Value::Null, none));
    // The version that has it, and one of another line, whose numbers say nothing.
    for version in ["6.0.6617.63", "6.5.7226.0"] {
        let mut story = Synth::windows();
        let web = story.process("Inetinfo.exe");
        story.module(web, windows_module("Cdoexm.dll", version));
        story.churn(web, &CHURN, 100, 3000, 0.0..4.9, 0.05);
        let report = analyze(&written(&story.build()).1);
        assert_eq!(report["modules"][0]["lacks"], serde_json::json!([]), "{version}: {report}");
    }
    let page = home.path().join("r.html");
    done(&["report", plain(&trace), "-o", plain(&page)]);
    let page = fs::read_to_string(page).unwrap();
    let row = |name: &str| {
        let from = &page[page.find(&format!("<tr><td><bdi class=\"name\">{name}<")).expect(name)..];
        &from[..from.find("</tr>").unwrap()]
    };
    let below = "older than 6.0.6617.63, which has KB896064";
    for (name, is_below, is_third) in
        [("Cdoexm.dll", true, false), ("avscan.dll", false, true), ("bare.dll", false, false)]
    {
        let row = row(name);
        assert_eq!(
            (row.contains(below), row.contains("third party")),
            (is_below, is_third),
            "{row}"
        );
    }
    let case = case(&trace, &[]);
    let table = String::from_utf8(unpacked(&case).remove("modules.csv").unwrap()).unwrap();
    for (name, ending) in [("avscan.dll", "yes"), ("bare.dll", "unknown"), ("Inetinfo.exe", "no")] {
        let row = table.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(row.ends_with(&format!(",{ending}")), "{row}");
    }
}
