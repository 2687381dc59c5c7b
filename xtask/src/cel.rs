//! `cargo xtask cel`: cel-spec's simple tests against the rule language. It is a test of the compiler as all others are; here it
//! shows what it counted.

use anyhow::Result;

use crate::step;

pub(crate) fn run() -> Result<()> {
    // Of the whole workspace, as the other tests are built: with fewer packages all would be compiled anew.
    step::run(
        "cel",
        step::cargo(["test", "--workspace", "--features", step::FEATURES, "--quiet", "--test", "cel_spec", "--", "--nocapture"]),
    )
}
