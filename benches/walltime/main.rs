//! Time of everything that is measured: `cargo bench -p rasid-benches [-- FILTER]`. Reports lie in `target/criterion`.

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};

fn main() -> std::io::Result<()> {
    rasid_benches::write_workload()?;
    let mut criterion =
        Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).configure_from_args();
    for case in rasid_benches::cases() {
        let (group, name) = case.id.split_once('/').unwrap_or((&case.id, ""));
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::Elements(case.elements));
        // The whole engine takes long enough for fewer.
        group.sample_size(if case.id.starts_with("whole/") { 10 } else { 50 });
        group.bench_function(name, |bencher| bencher.iter_batched(|| case.prepare(), |run| run(), BatchSize::LargeInput));
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}
