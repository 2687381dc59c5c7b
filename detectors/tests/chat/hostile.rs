//! What a hostile message costs: no more a byte than an honest one.

use std::time::{Duration, Instant};

use crate::support::found;

/// The least of some tries: what else the machine does only adds.
#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn takes(text: &str) -> Duration {
    let once = |_| {
        let start = Instant::now();
        std::hint::black_box(found(text));
        start.elapsed()
    };
    (0..15).map(once).min().expect("tries")
}

/// Ten times as long, it may take four times ten as long: what looks at all of it for each of its parts takes a hundred times.
#[test]
fn a_long_message_costs_no_more_a_byte() {
    for part in ["one ", "واحد ", "1 ", "صفر واحدد ", "onee ", "010 ", "call +"] {
        let (short, long) = (takes(&part.repeat(40)), takes(&part.repeat(400)));
        assert!(long < short * 40, "{part:?} takes {short:?}, and ten times as many {long:?}");
    }
}
