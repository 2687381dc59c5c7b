//! `cargo xtask kill`: the test that kills the service in every phase of its work, at length. Our own code keeps its overflow checks, as in
//! every test.

use anyhow::{Context as _, Result, bail};

use crate::step;

pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let mut cargo = step::cargo([
        "test",
        "--package",
        "rasid",
        "--test",
        "live",
        "--",
        "--nocapture",
        "--exact",
        "kill::a_kill_in_any_phase_loses_nothing_and_repeats_nothing",
    ]);
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let variable = match *option {
            "--rounds" => "RASID_KILL_ROUNDS",
            "--seed" => "RASID_KILL_SEED",
            other => bail!("no option `{other}`: --rounds N, --seed S"),
        };
        let number = rest.next().with_context(|| format!("{option} wants a number"))?;
        cargo.env(variable, number.parse::<u64>().with_context(|| format!("{option} {number}"))?.to_string());
    }
    step::run("kill", cargo)
}
