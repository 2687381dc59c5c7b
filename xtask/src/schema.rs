//! `cargo xtask schema`: the JSON Schemas that editors and other services read are committed, and must be those that
//! the program itself gives out.

use std::fs;

use anyhow::{Context as _, Result};

use crate::step;

const SCHEMAS: [(&str, &str); 5] = [
    ("events", "docs/schema/events.json"),
    ("rules", "rules/rule.schema.json"),
    ("alerts", "docs/schema/alerts.json"),
    ("config", "docs/schema/config.schema.json"),
    ("openapi", "docs/schema/openapi.json"),
];

pub(crate) fn run(check: bool) -> Result<()> {
    step::timed("schema", || {
        let mut stale = false;
        for (name, file) in SCHEMAS {
            let path = step::root().join(file);
            let current = step::output("rasid schema", step::rasid(["schema", name])?)?;
            if check {
                // Compared as text, so that a checkout with Windows line ends does not differ.
                let committed = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
                if committed.as_bytes() != current {
                    stale = true;
                    eprintln!("{file} is not what `rasid schema {name}` gives; `cargo xtask schema` writes it");
                }
            } else {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
                }
                fs::write(&path, current).with_context(|| format!("cannot write {file}"))?;
                eprintln!("wrote {file}");
            }
        }
        if stale { Err(step::Failed::new("schema --check", 1).into()) } else { Ok(()) }
    })
}
