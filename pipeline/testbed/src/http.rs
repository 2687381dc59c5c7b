//! As much of HTTP/1.1 as a test needs, so that connections can be broken wherever a test wants them broken.

use std::collections::BTreeMap;
use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest head and body; more is a test gone wrong.
const BYTES_MAX: usize = 64 << 20;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// The head of a request and what of the body came with it.
pub(crate) struct Head {
    pub(crate) request: Request,
    pub(crate) body_bytes: usize,
}

/// Reads a head; `None` where the other side has closed the connection.
pub(crate) async fn read_head(stream: &mut TcpStream) -> io::Result<Option<Head>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > BYTES_MAX || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let (head, rest) = bytes.split_at(end);
    let head = String::from_utf8_lossy(head).into_owned();
    let mut lines = head.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let headers: BTreeMap<String, String> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let body_bytes = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0).min(BYTES_MAX);
    Ok(Some(Head { request: Request { path, headers, body: rest.get(4..).unwrap_or_default().to_vec() }, body_bytes }))
}

/// Reads on until `bytes` of the body are there.
pub(crate) async fn read_body(stream: &mut TcpStream, request: &mut Request, bytes: usize) -> io::Result<()> {
    while request.body.len() < bytes {
        if stream.read_buf(&mut request.body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// An answer with that body.
pub(crate) fn answer(status: u16, headers: &[(&str, String)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// GET, and the status and body of the answer.
pub(crate) async fn get(port: u16, path: &str) -> io::Result<(u16, Vec<u8>)> {
    ask(port, &format!("GET {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\n\r\n")).await
}

/// POST of JSON, and the status and body of the answer.
pub(crate) async fn post(port: u16, path: &str, body: &str) -> io::Result<(u16, Vec<u8>)> {
    let head = format!("POST {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n");
    ask(port, &format!("{head}content-length: {}\r\n\r\n{body}", body.len())).await
}

async fn ask(port: u16, request: &str) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let (head, body) = bytes.split_at(end);
    let status = String::from_utf8_lossy(head).split(' ').nth(1).and_then(|text| text.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.get(4..).unwrap_or_default().to_vec()))
}
