//! Grafana's dashboards, made of the constants that the metrics are written by: none can ask for a metric that there is not.
//!
//! `cargo xtask pages` writes them to `dashboards/grafana`. Each panel is a list of queries of one unit; a dashboard is rows of panels.

use serde_json::{Value, json};

use super::{
    ALERTS_JUDGED, ALERTS_KEPT, DEAD_LETTERS, DISK_FULL, DIVERGENCE, ENGINE_EVICTED, ENGINE_RECORDS, ENGINE_STATE, LATENCY, LOG_BYTES,
    LOG_SYNC_MAX, Metric, OUTBOX_BYTES, OUTBOX_MAX, PRODUCER_BAD_FIELDS, QUEUE_CAPACITY, QUEUE_DEPTH, RULE_ALERTS, RULE_BRAKED,
    RULE_ERRORS, RULE_SHADOW_ALONE, RULE_SUPPRESSED, RULE_WARMING, RULESET_REFUSED, RULESET_RULES, SINK_AGE, SINK_DELIVERED, SINK_DEPTH,
    SINK_PARKED_NOW, SOURCE_LAG, SOURCE_RECORDS, SOURCE_REFUSED, SOURCE_STOPPED, UP, WORKER_LAG_S,
};

/// Panels of one row are that wide together.
const ROW: u32 = 24;
const HEIGHT: u32 = 7;

/// How a panel shows its series.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Over time.
    Lines,
    /// The newest, large; red where it is 1 or more.
    Alarm,
    /// The newest, large.
    Number,
    /// The newest of each, longest first.
    Bars,
}

/// One panel.
struct Panel {
    title: &'static str,
    /// What it says, and what to do where it looks wrong.
    about: &'static str,
    unit: &'static str,
    shape: Shape,
    width: u32,
    /// `PromQL`, and the legend.
    queries: Vec<(String, &'static str)>,
}

/// Rows of panels for one reader.
pub(crate) struct Dashboard {
    pub(crate) name: &'static str,
    title: &'static str,
    about: &'static str,
    rows: Vec<(&'static str, Vec<Panel>)>,
}

const SERVICES: &str = "{job=~\"$job\",instance=~\"$instance\"}";

/// A gauge.
fn now(metric: &Metric) -> String {
    format!("{}{SERVICES}", metric.name)
}

/// A counter's growth in a second.
fn rate(metric: &Metric, by: &str) -> String {
    let rate = format!("rate({}_total{SERVICES}[$__rate_interval])", metric.name);
    if by.is_empty() { format!("sum({rate})") } else { format!("sum by ({by}) ({rate})") }
}

/// A counter's growth in the period that is looked at, the `most` largest.
fn most(metric: &Metric, by: &str, most: u32) -> String {
    format!("topk({most}, sum by ({by}) (increase({}_total{SERVICES}[$__range])) > 0)", metric.name)
}

/// A quantile of a histogram.
fn quantile(metric: &Metric, quantile: &str) -> String {
    format!("histogram_quantile({quantile}, sum by (le) (rate({}_bucket{SERVICES}[$__rate_interval])))", metric.name)
}

fn panel(
    shape: Shape,
    width: u32,
    title: &'static str,
    unit: &'static str,
    about: &'static str,
    queries: Vec<(String, &'static str)>,
) -> Panel {
    Panel { title, about, unit, shape, width, queries }
}

/// All dashboards.
pub(crate) fn dashboards() -> [Dashboard; 2] {
    [pipeline(), alerts()]
}

/// For the operator: is the pipeline healthy?
fn pipeline() -> Dashboard {
    Dashboard {
        name: "rasid-pipeline",
        title: "Rasid: pipeline",
        about: "Is the pipeline healthy? From what comes in to what is delivered.",
        rows: vec![("Health", health()), ("In", flow()), ("State", state()), ("Out", out())],
    }
}

/// Whether anything is wrong, at a glance.
fn health() -> Vec<Panel> {
    use Shape::{Alarm, Number};
    vec![
        panel(
            Number,
            4,
            "Ready",
            "bool_yes_no",
            "Events are accepted and survive a crash; /readyz says why not.",
            vec![(now(&UP), "{{instance}}")],
        ),
        panel(
            Number,
            4,
            "Lag",
            "s",
            "Age of the oldest entry of the log that is not processed.",
            vec![(now(&WORKER_LAG_S), "{{instance}}")],
        ),
        panel(
            Alarm,
            4,
            "Replayed otherwise",
            "short",
            "Outputs that a replay made otherwise: must stay 0. docs/runbooks/replay_divergence.md",
            vec![(format!("{}_total{SERVICES}", DIVERGENCE.name), "{{instance}}")],
        ),
        panel(
            Alarm,
            4,
            "Disk full",
            "short",
            "What cannot be written for want of room; it is tried again.",
            vec![(format!("sum({})", now(&DISK_FULL)), "areas")],
        ),
        panel(
            Alarm,
            4,
            "Rules refused",
            "short",
            "1: the rules folder is not what is in force, as it is faulty.",
            vec![(now(&RULESET_REFUSED), "{{instance}}")],
        ),
        panel(
            Alarm,
            4,
            "Streams stopped",
            "short",
            "Streams that wait for somebody to do something.",
            vec![(format!("sum({})", now(&SOURCE_STOPPED)), "streams")],
        ),
    ]
}

/// What comes in.
fn flow() -> Vec<Panel> {
    use Shape::Lines;
    vec![
        panel(Lines, 12, "Records by fate", "ops", "What became of what was read.", vec![(rate(&ENGINE_RECORDS, "fate"), "{{fate}}")]),
        panel(
            Lines,
            12,
            "From arrival to a readable score",
            "s",
            "Of events that changed a score.",
            vec![(quantile(&LATENCY, "0.5"), "p50"), (quantile(&LATENCY, "0.99"), "p99")],
        ),
        panel(Lines, 8, "Records by stream", "ops", "What is appended to the log.", vec![(rate(&SOURCE_RECORDS, "stream"), "{{stream}}")]),
        panel(
            Lines,
            8,
            "Behind, by stream",
            "short",
            "Records that the source has and the log has not.",
            vec![(now(&SOURCE_LAG), "{{stream}}")],
        ),
        panel(
            Lines,
            8,
            "Refused over HTTP",
            "ops",
            "By reason; docs/producers.md says what each is.",
            vec![(rate(&SOURCE_REFUSED, "stream, reason"), "{{stream}} {{reason}}")],
        ),
    ]
}

/// What is kept of it.
fn state() -> Vec<Panel> {
    use Shape::Lines;
    vec![
        panel(Lines, 8, "Keyed state", "bytes", "Under engine.memory_bytes_max, always.", vec![(now(&ENGINE_STATE), "{{instance}}")]),
        panel(
            Lines,
            8,
            "Forgotten early",
            "ops",
            "States that the memory bound has cost, by operator: what they would have counted is missing.",
            vec![(rate(&ENGINE_EVICTED, "kind"), "{{kind}}")],
        ),
        panel(
            Lines,
            8,
            "Bad fields",
            "ops",
            "Fields that are not as the contract says, by producer, type and field.",
            vec![(rate(&PRODUCER_BAD_FIELDS, "producer, type, field"), "{{producer}} {{type}} {{field}}")],
        ),
        panel(
            Lines,
            8,
            "Dead letters",
            "ops",
            "Records set aside: `rasid dead-letters list`.",
            vec![(rate(&DEAD_LETTERS, ""), "set aside")],
        ),
        panel(Lines, 8, "Log", "bytes", "All segments.", vec![(now(&LOG_BYTES), "{{instance}}")]),
        panel(Lines, 8, "Made durable", "s", "The longest fsync since the scrape before.", vec![(now(&LOG_SYNC_MAX), "{{instance}}")]),
    ]
}

/// What leaves.
fn out() -> Vec<Panel> {
    use Shape::Lines;
    vec![
        panel(
            Lines,
            8,
            "Waiting for sinks",
            "short",
            "Alerts and scores that are not delivered yet.",
            vec![(now(&SINK_DEPTH), "{{sink}}")],
        ),
        panel(Lines, 8, "Age of the oldest", "s", "Of what waits for each sink.", vec![(now(&SINK_AGE), "{{sink}}")]),
        panel(Lines, 8, "Refused for good", "short", "Parked items: `rasid parked list`.", vec![(now(&SINK_PARKED_NOW), "{{sink}}")]),
        panel(Lines, 8, "Delivered", "ops", "What receivers acknowledged.", vec![(rate(&SINK_DELIVERED, "sink"), "{{sink}}")]),
        panel(
            Lines,
            8,
            "Outbox",
            "bytes",
            "Ingestion pauses where it reaches its limit.",
            vec![(now(&OUTBOX_BYTES), "size"), (now(&OUTBOX_MAX), "limit")],
        ),
        panel(
            Lines,
            8,
            "Queues",
            "percentunit",
            "How full the bounded queues between the parts are.",
            vec![(format!("{} / {}", now(&QUEUE_DEPTH), now(&QUEUE_CAPACITY)), "{{queue}}")],
        ),
    ]
}

/// For the analyst: what fires, and how right is it?
fn alerts() -> Dashboard {
    use Shape::{Bars, Lines, Number};
    let open = vec![
        panel(
            Number,
            6,
            "Open alerts",
            "short",
            "That nobody has looked at.",
            vec![(format!("sum({}{{status=\"open\"}})", ALERTS_KEPT.name), "open")],
        ),
        panel(Number, 6, "Rules in force", "short", "Of all modes.", vec![(now(&RULESET_RULES), "{{instance}}")]),
        panel(
            Number,
            6,
            "Braked rules",
            "short",
            "They open more alerts than people can be told of.",
            vec![(format!("count({}) or vector(0)", now(&RULE_BRAKED)), "braked")],
        ),
        panel(
            Number,
            6,
            "Warming rules",
            "short",
            "In shadow until their windows are whole.",
            vec![(format!("count({}) or vector(0)", now(&RULE_WARMING)), "warming")],
        ),
    ];
    let fire = vec![
        panel(Lines, 16, "Alerts by rule", "ops", "Delivered and in shadow.", vec![(rate(&RULE_ALERTS, "rule"), "{{rule}}")]),
        panel(Bars, 8, "Most alerts", "short", "In the period that is looked at.", vec![(most(&RULE_ALERTS, "rule", 15), "{{rule}}")]),
    ];
    let right = vec![
        panel(
            Bars,
            12,
            "Share of judged alerts that were right",
            "percentunit",
            "By rule; few verdicts say little: rasid alerts list --verdict any.",
            vec![(
                format!(
                    "sum by (rule) ({name}{{verdict=\"true_positive\"}}) / sum by (rule) ({name}{{verdict=~\"true_positive|false_positive\"}})",
                    name = ALERTS_JUDGED.name
                ),
                "{{rule}}",
            )],
        ),
        panel(
            Bars,
            12,
            "Verdicts",
            "short",
            "Alerts that are kept and have one.",
            vec![(format!("sum by (rule, verdict) ({})", now(&ALERTS_JUDGED)), "{{rule}} {{verdict}}")],
        ),
    ];
    let rules = vec![
        panel(
            Lines,
            8,
            "Suppressed hits",
            "ops",
            "They counted towards an open alert.",
            vec![(rate(&RULE_SUPPRESSED, "rule"), "{{rule}}")],
        ),
        panel(Lines, 8, "No value", "ops", "Events at which a condition gave none.", vec![(rate(&RULE_ERRORS, "rule"), "{{rule}}")]),
        panel(
            Bars,
            8,
            "What shadow rules would add",
            "short",
            "Alerts about whom no other rule cast doubt, in the period.",
            vec![(most(&RULE_SHADOW_ALONE, "rule", 15), "{{rule}}")],
        ),
    ];
    Dashboard {
        name: "rasid-alerts",
        title: "Rasid: alerts and rules",
        about: "What fires, how often, and how right it is.",
        rows: vec![("Now", open), ("Fire", fire), ("Right or wrong", right), ("Rules", rules)],
    }
}

impl Dashboard {
    /// Query and legend of all panels.
    #[cfg(test)]
    pub(super) fn queries(&self) -> impl Iterator<Item = &(String, &'static str)> {
        self.rows.iter().flat_map(|(_, panels)| panels).flat_map(|panel| &panel.queries)
    }

    /// As Grafana reads it, schema 39.
    pub(crate) fn json(&self) -> Value {
        let mut panels = Vec::new();
        let (mut y, mut id) = (0, 0);
        for (title, row) in &self.rows {
            id += 1;
            panels
                .push(json!({"id": id, "type": "row", "title": title, "collapsed": false, "gridPos": {"x": 0, "y": y, "w": ROW, "h": 1}}));
            y += 1;
            let mut x = 0;
            for panel in row {
                if x + panel.width > ROW {
                    (x, y) = (0, y + HEIGHT);
                }
                id += 1;
                panels.push(panel.json(id, x, y));
                x += panel.width;
            }
            y += HEIGHT;
        }
        let variable = |name: &str, label: &str, of: &str| {
            json!({
                "name": name, "label": label, "type": "query", "datasource": source(), "refresh": 2, "multi": true, "includeAll": true, "allValue": ".*",
                "query": {"query": format!("label_values({of}, {name})"), "refId": "A"}, "current": {"text": "All", "value": "$__all"},
            })
        };
        let picked = json!({"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"});
        let job = variable("job", "Job", UP.name);
        let instance = variable("instance", "Instance", &format!("{}{{job=~\"$job\"}}", UP.name));
        json!({
            "uid": self.name, "title": self.title, "description": self.about, "tags": ["rasid"], "schemaVersion": 39, "version": 1,
            "timezone": "browser", "refresh": "30s", "time": {"from": "now-6h", "to": "now"}, "editable": true, "graphTooltip": 1,
            "templating": {"list": [picked, job, instance]}, "panels": panels,
        })
    }
}

fn source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

impl Panel {
    fn json(&self, id: u32, x: u32, y: u32) -> Value {
        let kind = match self.shape {
            Shape::Lines => "timeseries",
            Shape::Alarm | Shape::Number => "stat",
            Shape::Bars => "bargauge",
        };
        let instant = self.shape != Shape::Lines;
        let targets = self.queries.iter().zip('A'..).map(|((expr, legend), name)| {
            json!({"refId": name.to_string(), "datasource": source(), "expr": expr, "legendFormat": legend, "instant": instant, "range": !instant})
        });
        let steps = match self.shape {
            Shape::Alarm => json!([{"color": "green", "value": null}, {"color": "red", "value": 1}]),
            _ => json!([{"color": "blue", "value": null}]),
        };
        json!({
            "id": id, "type": kind, "title": self.title, "description": self.about, "datasource": source(),
            "gridPos": {"x": x, "y": y, "w": self.width, "h": HEIGHT}, "targets": targets.collect::<Vec<_>>(),
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}, "overrides": []},
            "options": if kind == "bargauge" { json!({"orientation": "horizontal", "displayMode": "basic"}) } else { json!({}) },
        })
    }
}
