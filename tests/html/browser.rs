//! A real browser, driven by `tests/browser/look.mjs`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{npm, skip};

/// Where a browser may be.
const PLACES: [&str; 3] =
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/// A browser and what drives it.
pub struct Browser {
    /// The browser.
    pub executable: &'static str,
    /// Where the scripts are, with the packages that they need.
    pub scripts: PathBuf,
}

impl Browser {
    /// Looks for a browser and for node with its packages; says loudly what is not there.
    pub fn find() -> Option<Browser> {
        // Once, whoever of the tests comes first: npm begins with removing what is there.
        static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
        let executable = executable()?;
        Some(Browser { executable, scripts: INSTALLED.get_or_init(install).clone()? })
    }

    /// Looks at a report at these widths, in light and dark; panics with all that is wrong with it.
    pub fn look(&self, name: &str, html: &str, widths: &[u32]) {
        let directory = self.scripts.join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let report = directory.join("report.html");
        std::fs::write(&report, html).unwrap();
        let output = Command::new("node")
            .arg("look.mjs")
            .args([Path::new(self.executable), &report, &directory])
            .arg(widths.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
            .current_dir(&self.scripts)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        println!("{name}: {said}");
        assert!(output.status.success(), "{name}: {said}{failed}");
        for width in widths {
            for file in
                [format!("{width}-dark.png"), format!("{width}-light.png"), "printed.pdf".into()]
            {
                assert!(directory.join(&file).metadata().unwrap().len() > 1000, "{name}: {file}");
            }
        }
    }
}

/// Where its scripts and their packages are.
fn install() -> Option<PathBuf> {
    npm::install("browser", &["look.mjs"]).map_or_else(|why| absent(&why), Some)
}

/// Where a browser is; says loudly where there is none.
pub fn executable() -> Option<&'static str> {
    let found = PLACES.into_iter().find(|place| Path::new(place).exists());
    if found.is_none() {
        absent::<()>("no Chromium");
    }
    found
}

fn absent<T>(why: &str) -> Option<T> {
    skip::announce(&format!("no browser looks at the reports: {why}"), file!(), line!());
    None
}
