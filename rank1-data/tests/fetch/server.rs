//! A server that answers each request by the next step of a script and records what it was asked.
//!
//! Not a correct HTTP server: its faults are its purpose.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a request is answered.
#[derive(Clone)]
pub(crate) enum Step {
    /// Correctly, ranges included.
    Serve,
    /// Correctly, but the connection ends after this many bytes of the body.
    Cut(usize),
    /// Silence after this many bytes of the body.
    Stall(usize),
    /// The whole file with status 200, whatever was asked.
    IgnoreRange,
    /// The whole file under this `Content-Length`.
    Claim(usize),
    /// A status without a body.
    Status(u16),
    /// A redirect.
    Redirect(String),
    /// In pieces of this size, with a pause after each.
    Drip(usize, Duration),
    /// Chunked, without any size.
    Chunked,
    /// Chunked, and the connection ends after this many bytes, inside a chunk.
    ChunkedCut(usize),
    /// Other bytes of the same length.
    Wrong,
    /// A range that does not begin where it was asked to.
    WrongRange,
    /// The answer of a proxy to `CONNECT`; the tunnel then answers as `Serve`.
    Tunnel,
}

pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves `content`; the last step of the script repeats.
    pub(crate) fn start(content: &[u8], script: &[Step]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (content, script, record) = (content.to_vec(), script.to_vec(), Arc::clone(&requests));
        thread::spawn(move || {
            for (i, stream) in listener.incoming().enumerate() {
                let step = script[i.min(script.len() - 1)].clone();
                let (content, record) = (content.clone(), Arc::clone(&record));
                // The client may leave in the middle; that is no error of the test.
                thread::spawn(move || drop(answer(stream.unwrap(), &content, &step, &record)));
            }
        });
        Self { url, requests }
    }

    /// Request lines with their headers in lowercase, one text each.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn read_head(stream: &TcpStream) -> std::io::Result<String> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head)? == 0 || head.len() - before <= 2 {
            return Ok(head.to_lowercase());
        }
    }
}

fn answer(
    mut stream: TcpStream,
    content: &[u8],
    step: &Step,
    record: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = read_head(&stream)?;
    record.lock().unwrap().push(head.clone());
    if matches!(step, Step::Tunnel) {
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        head = read_head(&stream)?;
        record.lock().unwrap().push(head.clone());
    }
    let from: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="))
        .and_then(|range| range.trim_end_matches('-').parse().ok())
        .unwrap_or(0);
    let tag = "ETag: \"v1\"\r\nConnection: close\r\n";
    match step {
        Step::Status(status) => {
            write!(
                stream,
                "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 0\r\n\r\n"
            )
        }
        Step::Redirect(to) => {
            write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: {to}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            )
        }
        Step::IgnoreRange => {
            write!(stream, "HTTP/1.1 200 OK\r\n{tag}Content-Length: {}\r\n\r\n", content.len())?;
            stream.write_all(content)
        }
        Step::Claim(len) => {
            write!(stream, "HTTP/1.1 200 OK\r\n{tag}Content-Length: {len}\r\n\r\n")?;
            stream.write_all(content)
        }
        Step::Chunked => {
            write!(stream, "HTTP/1.1 200 OK\r\n{tag}Transfer-Encoding: chunked\r\n\r\n")?;
            for chunk in content.chunks(701) {
                write!(stream, "{:x}\r\n", chunk.len())?;
                stream.write_all(chunk)?;
                stream.write_all(b"\r\n")?;
            }
            stream.write_all(b"0\r\n\r\n")
        }
        Step::ChunkedCut(n) => {
            write!(stream, "HTTP/1.1 200 OK\r\n{tag}Transfer-Encoding: chunked\r\n\r\n")?;
            write!(stream, "{:x}\r\n", content.len())?;
            stream.write_all(&content[..*n])
        }
        _ if from >= content.len() => {
            write!(
                stream,
                "HTTP/1.1 416 No\r\nContent-Range: bytes */{}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                content.len()
            )
        }
        _ => serve(stream, content, from, step, tag),
    }
}

fn serve(mut stream: TcpStream, content: &[u8], from: usize, step: &Step, tag: &str) -> std::io::Result<()> {
    let first = if matches!(step, Step::WrongRange) { from / 2 } else { from };
    let body = &content[first..];
    let (last, len) = (content.len() - 1, content.len());
    match from {
        0 => write!(stream, "HTTP/1.1 200 OK\r\n{tag}Content-Length: {len}\r\n\r\n")?,
        _ => write!(
            stream,
            "HTTP/1.1 206 Partial\r\n{tag}Content-Range: bytes {first}-{last}/{len}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?,
    }
    match step {
        Step::Cut(n) => stream.write_all(&body[..(*n).min(body.len())]),
        Step::Stall(n) => {
            stream.write_all(&body[..(*n).min(body.len())])?;
            thread::sleep(Duration::from_secs(3));
            Ok(())
        }
        Step::Drip(n, pause) => body.chunks(*n).try_for_each(|piece| {
            stream.write_all(piece)?;
            thread::sleep(*pause);
            Ok(())
        }),
        Step::Wrong => stream.write_all(&body.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()),
        _ => stream.write_all(body),
    }
}
