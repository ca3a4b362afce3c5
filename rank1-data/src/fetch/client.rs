//! One HTTP request: the answer's status, sizes and validator, and its body as a stream.
//!
//! Not for retries and files; see the transfer. Bodies are never decompressed: a `.gz` file is wanted as it is.

use std::io::{self, Read};
use std::time::Duration;

use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body, Proxy};

use super::FetchOptions;
use super::address::proxy_for;
use super::error::FetchError;

/// What a server answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// `Content-Length` of this answer.
    pub(super) length: Option<u64>,
    /// `Content-Range` as it came.
    pub(super) range: Option<String>,
    /// A validator that may be sent with `If-Range`; weak ones are left out.
    pub(super) validator: Option<String>,
    pub(super) retry_after: Option<u64>,
    pub(super) body: Box<dyn Read>,
}

/// Asks for a file from byte `from` on.
pub(super) fn get(
    url: &str,
    from: u64,
    validator: Option<&str>,
    options: &FetchOptions,
) -> Result<Answer, FetchError> {
    let proxy = match proxy_for(url, &options.proxy, |name| std::env::var(name).ok()) {
        None => None,
        Some(address) => Some(Proxy::new(&address).map_err(|_| FetchError::Setting {
            option: "proxy",
            value: without_password(&address),
            expected: "`http://[USER:PASSWORD@]HOST:PORT`",
        })?),
    };
    let timeout = Some(options.timeout);
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        // A redirect must not leave the protected transport.
        .https_only(url.starts_with("https://"))
        .proxy(proxy)
        .user_agent(concat!("rank1/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .timeout_resolve(timeout)
        .timeout_connect(timeout)
        .timeout_per_read(timeout)
        .timeout_per_write(timeout)
        .build()
        .into();
    let mut request = agent.get(url);
    if from > 0 {
        request = request.header("Range", format!("bytes={from}-"));
        if let Some(validator) = validator {
            request = request.header("If-Range", validator);
        }
    }
    let response = request.call().map_err(|error| failure(url, error, from, options.timeout))?;
    Ok(answer(response))
}

fn answer(response: Response<Body>) -> Answer {
    let (head, body) = response.into_parts();
    Answer {
        status: head.status.as_u16(),
        length: text(&head.headers, "content-length").and_then(|value| value.trim().parse().ok()),
        range: text(&head.headers, "content-range"),
        validator: text(&head.headers, "etag").filter(|tag| tag.starts_with('"')),
        retry_after: text(&head.headers, "retry-after").and_then(|value| value.trim().parse().ok()),
        body: Box::new(body.into_reader()),
    }
}

/// First byte and whole size of a `Content-Range`; `bytes */SIZE` has no first byte.
pub(super) fn content_range(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (span, total) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
    let total = total.trim().parse().ok();
    match span.trim() {
        "*" => Some((None, total)),
        span => Some((Some(span.split_once('-')?.0.trim().parse().ok()?), total)),
    }
}

/// What a failed read of the body means.
pub(super) fn read_failure(url: &str, error: io::Error, done: u64, timeout: Duration) -> FetchError {
    failure(url, ureq::Error::from(error), done, timeout)
}

fn failure(url: &str, error: ureq::Error, done: u64, timeout: Duration) -> FetchError {
    let passing = match &error {
        ureq::Error::Timeout(_) => {
            return FetchError::Stalled { url: url.to_owned(), seconds: timeout.as_secs_f64(), done };
        }
        ureq::Error::Io(error) => error.kind() != io::ErrorKind::InvalidData,
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Protocol(_)
        | ureq::Error::ConnectProxyFailed(_) => true,
        _ => false,
    };
    FetchError::Connection { url: url.to_owned(), reason: error.to_string(), passing }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn without_password(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    rest.rsplit_once('@').map_or_else(|| address.to_owned(), |(_, host)| format!("{scheme}://...@{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_give_first_byte_and_size_or_nothing() {
        assert_eq!(content_range("bytes 5-9/10"), Some((Some(5), Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((Some(5), None)));
        assert_eq!(content_range("bytes */10"), Some((None, Some(10))));
        for refused in ["", "5-9/10", "bytes 5-9", "bytes x-9/10", "items 5-9/10"] {
            assert_eq!(content_range(refused), None, "{refused}");
        }
    }

    #[test]
    fn a_refused_proxy_is_named_without_its_password() {
        assert_eq!(without_password("http://me:secret@host:1"), "http://...@host:1");
        assert_eq!(without_password("host:1"), "host:1");
    }
}
