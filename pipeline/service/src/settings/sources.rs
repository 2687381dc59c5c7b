//! Where events come from.

use std::collections::BTreeMap;

use rasid_connectors::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where events come from. At least one source must be on.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// Topics of a Fluvio cluster (needs a build with the feature `fluvio`).
    pub fluvio: Fluvio,
    /// `POST /v1/events` on the server's address.
    pub http: Http,
    /// Files and stdin, one JSON object a line.
    pub jsonl: JsonlSource,
}

/// Topics of a Fluvio cluster.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fluvio {
    /// `host:port` of the cluster's controller, such as `127.0.0.1:9003`. Without it the source is off.
    pub endpoint: Option<String>,
    /// The topics; every partition of each is read.
    pub topics: Vec<String>,
    /// Most bytes of one fetch. Not below the topics' segment size, or the cluster cuts a fetch inside a batch and records
    /// are lost on catching up. Higher: more memory a partition. The default holds two of the usual segments of 8 MiB.
    #[schemars(range(min = 1_048_576, max = 1_073_741_824))]
    pub fetch_bytes_max: u32,
}

impl Default for Fluvio {
    fn default() -> Self {
        Self { endpoint: None, topics: Vec::new(), fetch_bytes_max: 16 << 20 }
    }
}

/// `POST /v1/events` on the server's address.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Whether events are taken over HTTP. Each request is signed as <https://www.standardwebhooks.com> says, or shows a bearer token
    /// (`rasid token`).
    pub enabled: bool,
    /// Who may send: `[sources.http.producers.checkout]` makes the stream `http:checkout`. One that shows tokens and signs nothing needs
    /// its name alone: `producers.vector = {}`.
    pub producers: BTreeMap<String, Producer>,
    /// Largest body, bytes, as it comes, packed or not. Higher: a request may take more memory. The default holds some 8000 events, or
    /// one of the largest size, 1 MiB, among others.
    #[schemars(range(min = 1024, max = 67_108_864))]
    pub body_bytes_max: u32,
    /// Largest body, bytes, once it is unpacked (`content-encoding: gzip` or `zstd`). Higher: a request of a few kB may take more
    /// memory and time. The default is as many events as a request may have, of 800 bytes each.
    #[schemars(range(min = 1024, max = 268_435_456))]
    pub unpacked_bytes_max: u32,
    /// Most bytes of all bodies that are held at once, of those that still come and of requests under way, packed and unpacked; at
    /// least four times `body_bytes_max` and twice `unpacked_bytes_max`. Where there is no room for more, the body that has been on its way the longest is given up if its
    /// signature is not verified yet, else the newcomer is sent away (503). Higher: more memory, about three times as much while
    /// requests are under way. Lower: strangers who send bodies put out slow honest ones sooner. The default is 16 of the largest bodies.
    #[schemars(range(min = 65_536, max = 4_294_967_295_u64))]
    pub bodies_bytes_max: u32,
    /// Most events in one request. Higher: one request holds up the others for longer. Lower: more signatures to check for the
    /// same events, and log shippers, which send what they have at once, are refused. The default is more than Fluent Bit puts into a
    /// request, 2 MB.
    #[schemars(range(min = 1, max = 100_000))]
    pub request_events_max: u32,
    /// Most events of one producer in a second, in the long run; above it the answer is 429 with Retry-After. Higher: one
    /// producer gone wild takes more from the others. Lower: an honest one waits at the evening's peak. The default is
    /// what two cores keep up with while scores stay readable within milliseconds (`benches/records`), so that one producer alone
    /// cannot make the others late.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub events_per_s_max: u32,
    /// Most events that a producer may send at once after a pause. Lower: one that was away takes longer to catch up. The
    /// default is ten seconds of the rate, and several simulated days of the README's marketplace.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub events_burst_max: u32,
    /// Most requests under way at once, of all producers, their signatures verified; others wait for their turn. Higher: more
    /// memory, a body each. Lower: less for the log to put into one block.
    #[schemars(range(min = 1, max = 10_000))]
    pub requests_max: u32,
    /// Most webhook-ids of one producer remembered at once, about 100 bytes each; beyond it its new requests are refused until
    /// old ids are of no use any more, after 15 minutes (a signature is good for 5 minutes either way). The default is some 1100
    /// requests a second of each.
    #[schemars(range(min = 1000, max = 100_000_000))]
    pub webhook_ids_max: u32,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            enabled: false,
            producers: BTreeMap::new(),
            body_bytes_max: 4 << 20,
            unpacked_bytes_max: 8 << 20,
            bodies_bytes_max: 64 << 20,
            request_events_max: 10_000,
            events_per_s_max: 20_000,
            events_burst_max: 200_000,
            requests_max: 64,
            webhook_ids_max: 1_000_000,
        }
    }
}

/// A service that may send events.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Producer {
    /// The secret it signs with, `whsec_…`, only from the environment:
    /// `RASID_SOURCES__HTTP__PRODUCERS__<NAME>__SECRET`.
    pub secret: Option<Secret>,
    /// File that holds the secret. Several lines are several secrets, any of which signs: while it is being changed.
    pub secret_file: Option<String>,
}

/// Files and stdin, one JSON object a line.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JsonlSource {
    /// Files that are read once, also `.gz` and `.zst`; after a restart from where the log knows them to.
    pub files: Vec<String>,
    /// Folders whose `*.jsonl` and `*.ndjson` files are followed as they grow, are rotated, and as new ones come, and whose `*.gz`
    /// and `*.zst` files are read once they no longer change.
    pub follow_dirs: Vec<String>,
    /// How long a followed file that was renamed or removed is read on after it last grew, in seconds: for writers that open the
    /// new one late. Higher: a descriptor is held for longer after each rotation. Lower: what such a writer writes later is lost if
    /// the file has left the folder; in the folder it is read on whenever it grows. The default is longer than a log rotation's
    /// signal takes to be heeded.
    #[schemars(range(min = 1, max = 86_400))]
    pub rotate_wait_s: u32,
    /// Whether stdin is read. What was written to it and not read when the service stops is lost: for trying things out.
    pub stdin: bool,
}

impl Default for JsonlSource {
    fn default() -> Self {
        Self { files: Vec::new(), follow_dirs: Vec::new(), rotate_wait_s: 30, stdin: false }
    }
}

impl JsonlSource {
    /// Whether anything is read by them.
    pub fn reads(&self) -> bool {
        !self.files.is_empty() || !self.follow_dirs.is_empty() || self.stdin
    }
}
