//! Clients that write all of a body before they look for an answer read why they are refused, and not that their connection is
//! reset.

use std::process::Command;

use crate::producers_page::is_there;
use crate::receiver::{Receiver, refused};
use crate::site::Site;

/// Far more than a request may have.
const BYTES: usize = 20 << 20;

/// Each sends a body of `BYTES` without a signature and prints the status of the answer and its type.
const PYTHON: &str = r#"
import os, urllib.error, urllib.request
body = b"x" * int(os.environ["BYTES"])
try:
    urllib.request.urlopen(urllib.request.Request(os.environ["URL"], body, {"content-type": os.environ["TYPE"]}), timeout=60)
except urllib.error.HTTPError as error:
    print(error.code, error.headers["content-type"])
"#;
const NODE: &str = r#"
const answer = await fetch(process.env.URL, {
  method: "POST",
  body: Buffer.alloc(Number(process.env.BYTES), "x"),
  headers: { "content-type": process.env.TYPE },
});
await answer.text();
console.log(answer.status, answer.headers.get("content-type"));
"#;
const NODE_HTTP: &str = r#"
import { request } from "node:http";
const asked = request(process.env.URL, { method: "POST", headers: { "content-type": process.env.TYPE } }, (answer) => {
  answer.resume().on("end", () => console.log(answer.statusCode, answer.headers["content-type"]));
});
asked.on("error", (error) => console.log(error.code));
asked.end(Buffer.alloc(Number(process.env.BYTES), "x"));
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_before_it_reads_sees_why_it_is_refused() {
    let site = Site::new("").await;
    let receiver = Receiver::start(&site, 1_024).await;
    let node = |program| vec!["node".to_owned(), "--input-type=module".to_owned(), "--eval".to_owned(), program];
    let all = [vec!["python3".to_owned(), "-c".to_owned(), PYTHON.to_owned()], node(NODE.to_owned()), node(NODE_HTTP.to_owned())];
    let mut asked = 0;
    for program in all.iter().filter(|program| is_there(&program[0])) {
        for (path, content_type, status) in [
            ("/v1/events", "application/x-ndjson", 401),
            ("/v1/events", "text/plain", 415),
            ("/v1/events/", "application/x-ndjson", 404),
            ("/healthz", "application/x-ndjson", 405),
        ] {
            let mut command = Command::new(&program[0]);
            command.args(&program[1..]).env("URL", format!("{}{path}", receiver.url)).env("TYPE", content_type);
            let output = command.env("BYTES", BYTES.to_string()).env("NO_PROXY", "*").output().expect("it starts");
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(said.trim(), format!("{status} application/problem+json"), "{program:?} {path} {content_type}: {output:?}");
            asked += 1;
        }
    }
    assert!(asked >= 4, "python at the least");
    let figures = site.status().expect("it answers");
    for reason in ["header", "media_type", "path"] {
        assert_eq!(refused(&figures, "http:unknown", reason), asked / 4, "{reason}");
    }
}
