//! The directories of a TIFF file: how many pictures it has, and whether JPEG files are wrapped in it.
//!
//! Not for decoding. Any bytes are accepted; what lies outside the file is not there.

/// Bit 0 of its value says that the picture is a smaller copy of another.
const NEW_SUBFILE_TYPE: u64 = 254;
const COMPRESSION: u64 = 259;
const JPEG: u64 = 7;

/// A file with the sizes in bytes that its numbers have: an offset, a count of entries, and an entry.
pub(super) struct Tiff<'a> {
    bytes: &'a [u8],
    little: bool,
    offset_size: usize,
    count_size: usize,
    entry_size: usize,
}

impl<'a> Tiff<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let big = matches!(bytes.get(..4), Some([b'I', b'I', 43, 0] | [b'M', b'M', 0, 43]));
        let (offset_size, count_size, entry_size) = if big { (8, 8, 20) } else { (4, 2, 12) };
        Self { bytes, little: bytes.starts_with(b"II"), offset_size, count_size, entry_size }
    }

    /// Whether a second picture that is no thumbnail follows the first.
    pub(super) fn has_pages(&self) -> bool {
        let is_thumbnail =
            |directory| self.values(directory, NEW_SUBFILE_TYPE, 4).next().is_some_and(|kind| kind & 1 == 1);
        self.first().and_then(|first| self.next(first)).is_some_and(|second| !is_thumbnail(second))
    }

    /// Whether the strips or tiles of the first picture are JPEG files.
    pub(super) fn wraps_jpeg(&self) -> bool {
        self.first().is_some_and(|first| self.values(first, COMPRESSION, 2).any(|method| method == JPEG))
    }

    fn number(&self, at: usize, size: usize) -> Option<u64> {
        let field = self.bytes.get(at..at.checked_add(size)?)?;
        let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.little { field.iter().rev().fold(0, join) } else { field.iter().fold(0, join) })
    }

    fn place(&self, at: usize) -> Option<usize> {
        usize::try_from(self.number(at, self.offset_size)?).ok()
    }

    fn first(&self) -> Option<usize> {
        self.place(if self.offset_size == 8 { 8 } else { 4 })
    }

    fn next(&self, directory: usize) -> Option<usize> {
        let entries = usize::try_from(self.number(directory, self.count_size)?).ok()?;
        let at =
            directory.checked_add(self.count_size)?.checked_add(entries.checked_mul(self.entry_size)?)?;
        self.place(at).filter(|&next| next != 0)
    }

    /// The values of `size` bytes that entries with this tag hold themselves; a file should have one at most.
    fn values(&self, directory: usize, tag: u64, size: usize) -> impl Iterator<Item = u64> {
        let entries = self.number(directory, self.count_size).and_then(|n| usize::try_from(n).ok());
        let entries = entries.unwrap_or(0).min(self.bytes.len() / self.entry_size);
        let entries = (0..entries).map(move |i| directory + self.count_size + i * self.entry_size);
        let tagged = entries.filter(move |&at| self.number(at, 2) == Some(tag));
        tagged.filter_map(move |at| self.number(at + self.entry_size - self.offset_size, size))
    }
}
