//! The source of a stand-in DLL, its version resource, and where the linker put its functions.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;

use super::{Function, Machine, Spec};

/// A source, and which lines are whose.
pub struct Source {
    pub text: String,
    functions: Vec<Written>,
}

struct Written {
    /// As it was asked for.
    asked: String,
    lines: Range<u32>,
    inlined: String,
    inlined_lines: Range<u32>,
}

/// The source of functions of these names.
pub fn write(functions: &[&str]) -> Source {
    let mut text = "extern \"C\" int _fltused = 0;\nstatic volatile int sink;\n".to_owned();
    // What every function calls, so that stacks can lead through it.
    text.push_str("__declspec(noinline) int allocate(int n) { return n ^ sink; }\n");
    let mut classes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (class, member) in functions.iter().filter_map(|name| name.split_once("::")) {
        classes.entry(class).or_default().push(member);
    }
    for (class, members) in classes {
        let members: String =
            members.iter().map(|name| format!("static int {name}(int n); ")).collect();
        writeln!(text, "struct {class} {{ {members}}};").unwrap();
    }
    let mut written = Vec::new();
    for asked in functions {
        let plain = asked.trim_start_matches('.').replace("::", "_");
        let inlined = format!("{plain}_inlined");
        let head = match (asked.strip_prefix('.'), asked.contains("::")) {
            (Some(name), _) => {
                format!("__attribute__((used)) static __declspec(noinline) int {name}(int n) {{")
            }
            (_, true) => format!("__declspec(noinline) int {asked}(int n) {{"),
            _ => format!(
                "extern \"C\" __declspec(dllexport) __declspec(noinline) int __stdcall {asked}(int n) {{"
            ),
        };
        let first = u32::try_from(text.lines().count()).unwrap() + 1;
        // Each has a number of its own, or the linker would fold what is equal.
        let number = written.len() + 3;
        writeln!(text, "static __forceinline int {inlined}(int n) {{").unwrap();
        writeln!(text, "    sink += n;\n    return sink * {number};\n}}").unwrap();
        writeln!(
            text,
            "{head}\n    int kept = {inlined}(allocate(n));\n    return kept + sink;\n}}"
        )
        .unwrap();
        written.push(Written {
            asked: (*asked).to_owned(),
            lines: first + 4..first + 8,
            inlined,
            inlined_lines: first..first + 4,
        });
    }
    text.push_str("extern \"C\" int __stdcall _DllMainCRTStartup(void *, unsigned, void *) {\n    int all = 1;\n");
    for asked in functions {
        writeln!(text, "    all += {}(all);", asked.trim_start_matches('.')).unwrap();
    }
    text.push_str("    return all;\n}\n");
    Source { text, functions: written }
}

impl Source {
    /// Where the functions lie, by the linker's map:
    ///
    /// ```text
    ///  0001:00000020       ?Init@CStore@@SAHH@Z       0000000180001020     source.obj
    /// ```
    pub fn placed(&self, map: &str, image: &[u8], spec: Spec<'_>) -> BTreeMap<String, Function> {
        let base = match spec.machine {
            Machine::X86 => 0x1000_0000,
            Machine::X64 => 0x1_8000_0000_u64,
        };
        let mut code: Vec<(u32, &str)> = map
            .lines()
            .filter_map(|line| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let [place, name, address, _] = fields[..] else { return None };
                let address = u64::from_str_radix(address, 16).ok()?;
                place.starts_with("0001:").then(|| (u32::try_from(address - base).unwrap(), name))
            })
            .collect();
        code.sort_unstable();
        let callee = code.iter().find(|(_, name)| *name == "?allocate@@YAHH@Z").unwrap().0;
        let placed = self.functions.iter().map(|written| {
            let linked = linked_name(&written.asked, spec.machine);
            let at = code.iter().position(|(_, name)| *name == linked);
            let at = at.unwrap_or_else(|| panic!("{linked} is not in\n{map}"));
            let next = code[at + 1..].iter().find(|(rva, _)| *rva > code[at].0);
            let (rva, end) = (code[at].0, next.expect("the entry point lies last").0);
            let function = Function {
                rva,
                size: end - rva,
                after_call: after_call(image, rva..end, callee),
                name: format!("{}(int)", written.asked.trim_start_matches('.')),
                lines: written.lines.clone(),
                inlined: format!("{}(int)", written.inlined),
                inlined_lines: written.inlined_lines.clone(),
            };
            (written.asked.clone(), function)
        });
        placed.collect()
    }
}

/// The address behind the one call of a function. Code lies in the file as in memory, so that an offset is
/// both.
fn after_call(image: &[u8], function: Range<u32>, callee: u32) -> u32 {
    let calls = function.clone().filter(|&at| {
        let at = at as usize;
        let distance = i32::from_le_bytes(image[at + 1..at + 5].try_into().unwrap());
        image[at] == 0xe8 && (at as i64 + 5 + i64::from(distance)) == i64::from(callee)
    });
    let calls: Vec<u32> = calls.collect();
    assert_eq!(calls.len(), 1, "{function:x?} calls {callee:#x} once");
    calls[0] + 5
}

/// The name that the linker sees, by Microsoft's rules: `int f(int)`, C's `__stdcall` or C++'s.
pub fn linked_name(asked: &str, machine: Machine) -> String {
    match (asked.strip_prefix('.'), asked.split_once("::"), machine) {
        (Some(name), _, _) => format!("?{name}@@YAHH@Z"),
        (_, Some((class, member)), _) => format!("?{member}@{class}@@SAHH@Z"),
        (_, _, Machine::X86) => format!("_{asked}@4"),
        (_, _, Machine::X64) => asked.to_owned(),
    }
}

/// A version resource, as resource compilers read it.
pub fn resource(name: &str, version: &str) -> String {
    let numbers = version.replace('.', ",");
    format!(
        "1 VERSIONINFO\nFILEVERSION {numbers}\nPRODUCTVERSION {numbers}\nBEGIN\n  BLOCK \"StringFileInfo\"\n  BEGIN\n    \
         BLOCK \"040904B0\"\n    BEGIN\n      VALUE \"CompanyName\", \"Stand-in\"\n      \
         VALUE \"FileVersion\", \"{version} (stand-in for {name})\"\n      VALUE \"ProductVersion\", \"{version}\"\n    \
         END\n  END\n  BLOCK \"VarFileInfo\"\n  BEGIN\n    VALUE \"Translation\", 0x409, 1200\n  END\nEND\n"
    )
}
