//! Names of files and folders: which are pictures, which are left alone, and how a name that is no text is written.
//!
//! Not for contents: the format of a picture is decided by its bytes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Endings of the names of pictures, in any case.
const ENDINGS: [&str; 8] = ["jpg", "jpeg", "jfif", "png", "webp", "bmp", "tif", "tiff"];

/// The endings as messages have them.
pub const PICTURE_ENDINGS: &str = ".jpg, .jpeg, .jfif, .png, .webp, .bmp, .tif or .tiff";

/// Formats that are read beside JPEG and PNG, by the endings of names; what a file holds is told by its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Formats {
    /// Files `.webp`.
    pub webp: bool,
    /// Files `.bmp`.
    pub bmp: bool,
    /// Files `.tif` and `.tiff`.
    pub tiff: bool,
}

impl Formats {
    /// Every format that there is a decoder for.
    pub const ALL: Self = Self { webp: true, bmp: true, tiff: true };

    pub(super) fn reads(self, name: &str) -> bool {
        is_picture(name)
            && match ending(name).to_ascii_lowercase().as_str() {
                "webp" => self.webp,
                "bmp" => self.bmp,
                "tif" | "tiff" => self.tiff,
                _ => true,
            }
    }
}

/// Endings of pictures in formats that are not read: such a file is no note that lies beside pictures.
const UNREAD: [&str; 34] = [
    "gif", "heic", "heif", "avif", "jxl", "jp2", "j2k", "jpe", "apng", "svg", "ico", "cur", "tga", "pbm",
    "pgm", "ppm", "pnm", "hdr", "exr", "dds", "qoi", "psd", "xcf", "dng", "cr2", "cr3", "nef", "arw", "orf",
    "rw2", "raf", "raw", "dcm", "pcx",
];

/// What systems put beside pictures, in any case; with names that start with a dot these are left alone without a word.
const LEFT_ALONE: [&str; 10] = [
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "__macosx",
    "icon\r",
    "@eadir",
    "$recycle.bin",
    "system volume information",
    "lost+found",
];

fn ending(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// Whether a name ends as those of pictures do for which there is a decoder (`jpg`, `webp`, ..., in any case).
pub fn has_picture_ending(name: &OsStr) -> bool {
    is_picture(&name.to_string_lossy())
}

pub(super) fn is_picture(name: &str) -> bool {
    ENDINGS.iter().any(|known| ending(name).eq_ignore_ascii_case(known))
}

/// Whether a name ends as those of pictures do that are not read.
pub(super) fn is_unread_picture(name: &str) -> bool {
    UNREAD.iter().any(|known| ending(name).eq_ignore_ascii_case(known))
}

/// Hidden names and those that systems leave: neither classes nor pictures, and not worth a word.
pub(super) fn is_left_alone(name: &str) -> bool {
    name.starts_with('.') || LEFT_ALONE.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Why a file with this name is not read.
pub(super) fn not_read(name: &str) -> String {
    let ending = ending(name).to_ascii_lowercase();
    let format = if ending == "tif" { "tiff" } else { &ending };
    if is_picture(name) {
        format!("a .{ending} file, which is read only if `formats` has \"{format}\"")
    } else if is_unread_picture(name) {
        format!("a .{ending} file; JPEG and PNG are read, WebP, BMP and TIFF if `formats` has them")
    } else {
        format!("the name does not end in {PICTURE_ENDINGS}")
    }
}

/// A name as text from which its bytes can be told again: bytes that are not UTF-8 as `\xNN`, and the backslash of a name
/// that has such four characters itself as `\x5c`. Every other name stays as it is.
pub fn escaped_name(name: &OsStr) -> String {
    escaped_bytes(name.as_encoded_bytes())
}

pub(super) fn escaped_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find("\\x") {
            let digits = rest.as_bytes().get(at + 2..at + 4);
            let is_escape = digits.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit));
            text.push_str(&rest[..at]);
            text.push_str(if is_escape { "\\x5cx" } else { "\\x" });
            rest = &rest[at + 2..];
        }
        text.push_str(rest);
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// A path for messages, whose names are readable whatever their bytes.
pub(super) fn shown(path: &Path) -> PathBuf {
    if path.to_str().is_some() { path.to_owned() } else { PathBuf::from(escaped_name(path.as_os_str())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(text: &str) -> Vec<u8> {
        let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
        while let Some((&first, more)) = rest.split_first() {
            let digits = rest.get(2..4).and_then(|pair| std::str::from_utf8(pair).ok());
            let byte = digits.filter(|_| rest.starts_with(b"\\x"));
            match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &rest[4..];
                }
                None => {
                    bytes.push(first);
                    rest = more;
                }
            }
        }
        bytes
    }

    #[test]
    fn every_name_can_be_told_from_its_text_and_text_stays() {
        let names: [&[u8]; 7] = [
            b"cat.png",
            "blå 青, \"x\"\n=1.png".as_bytes(),
            b"bad\xff.png",
            b"\xffx\\y\xc3",
            b"a\\xff.png",
            b"a\\x5c\xfe",
            b"\\x\\xg1\\xf",
        ];
        for name in names {
            let text = escaped_bytes(name);
            assert_eq!(unescaped(&text), name, "{text}");
        }
        assert_eq!(escaped_bytes(names[0]), "cat.png");
        assert_eq!(escaped_bytes(names[1]).as_bytes(), names[1]);
        assert_eq!(escaped_bytes(names[2]), "bad\\xff.png");
    }

    #[test]
    fn endings_count_in_any_case_and_leftovers_of_systems_do_not() {
        for name in ["a.JPG", "b.jpeg", "c.JfIf", "d.png", "e.WEBP", "f.bmp", "g.tif", "h.TIFF", "i.b.png"] {
            assert!(is_picture(name), "{name}");
        }
        for name in ["a.gif", "png", "a.png.txt", "", "a.", "thumbs.db"] {
            assert!(!is_picture(name), "{name}");
        }
        let webp = Formats { webp: true, ..Formats::default() };
        for (name, by_default, with_webp) in
            [("a.JPG", true, true), ("a.webp", false, true), ("a.tif", false, false), ("a.gif", false, false)]
        {
            let got = (Formats::default().reads(name), webp.reads(name));
            assert_eq!(got, (by_default, with_webp), "{name}");
            assert!(Formats::ALL.reads(name) != (name == "a.gif"), "{name}");
        }
        for name in [".DS_Store", "._a.png", ".ipynb_checkpoints", "Thumbs.db", "DESKTOP.INI", "__MACOSX"] {
            assert!(is_left_alone(name), "{name}");
        }
        assert!(
            !is_left_alone("thumbs.png") && is_unread_picture("x.HEIC") && !is_unread_picture("notes.txt")
        );
    }
}
