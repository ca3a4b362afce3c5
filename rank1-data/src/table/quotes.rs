//! Quotes that are opened and never closed, followed byte by byte.
//!
//! Not for splitting cells; see [`super::rows`].

/// Where the bytes seen so far leave off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// A cell begins.
    Start,
    /// Within a cell without quotes, or behind the closing quote.
    Cell,
    /// Behind an opening quote.
    Quoted,
    /// Behind a quote that closes, or is the first of two that stand for one.
    MaybeClosed,
}

/// Follows quotes through the bytes of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quotes {
    separator: u8,
    at: At,
    /// Bytes seen.
    seen: u64,
    /// Position of the last opening quote.
    opened: u64,
}

impl Quotes {
    pub(super) fn new(separator: u8) -> Self {
        Self { separator, at: At::Start, seen: 0, opened: 0 }
    }

    /// Takes the next bytes in.
    pub(super) fn see(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.at = match (self.at, byte) {
                (At::Start, b'"') => {
                    self.opened = self.seen;
                    At::Quoted
                }
                (At::Quoted, b'"') => At::MaybeClosed,
                (At::Quoted, _) | (At::MaybeClosed, b'"') => At::Quoted,
                (_, byte) if byte == self.separator || matches!(byte, b'\n' | b'\r') => At::Start,
                _ => At::Cell,
            };
            self.seen += 1;
        }
    }

    /// Position of the quote that is open behind the bytes seen.
    pub(super) fn open(&self) -> Option<u64> {
        (self.at == At::Quoted).then_some(self.opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_that_is_never_closed_is_found() {
        for (text, expected) in [
            ("a,b\n1,\"x\n2,3\n", Some(6)),
            ("a,b\n1,\"x\"\n2,3\n", None),
            ("a,b\n1,\"x\"\"y\"\n", None),
            ("a,b\n1,\"x\"\"\n", Some(6)),
            ("a,b\n1,x\"y\n", None),
            ("\"", Some(0)),
            ("\"\"", None),
            ("a,\"", Some(2)),
        ] {
            let mut whole = Quotes::new(b',');
            whole.see(text.as_bytes());
            assert_eq!(whole.open(), expected, "{text:?}");
            let mut pieces = Quotes::new(b',');
            text.as_bytes().chunks(1).for_each(|piece| pieces.see(piece));
            assert_eq!(pieces.open(), expected, "{text:?} byte by byte");
        }
    }
}
