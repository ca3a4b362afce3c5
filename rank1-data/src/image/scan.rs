//! Everything in a folder or an archive as a tree of names; links are followed, and what leads nowhere is kept with its reason.
//!
//! Not for what the names mean; see `arrange`.

use std::fs;
use std::path::{Path, PathBuf};

use super::names::{escaped_bytes, escaped_name, is_left_alone, is_picture};
use crate::Error;
use crate::archive::{MemberKind, for_each_member};

/// Links to folders within one another that are followed.
const MOST_LINKS: usize = 8;

/// Bytes of the longest path that a file in the place of a link is looked at for.
const LONGEST_PATH: u64 = 1_024;

/// Where the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Path(Box<Path>),
    /// The number of a member of the archive.
    Member(usize),
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    File,
    /// A file that holds nothing but the path of another, as `unzip` or git leave a link where they make none.
    WrittenLink(Box<str>),
    /// A link to a folder that holds it.
    Loop(Box<str>),
    /// Neither a file nor a folder: why.
    Unusable(Box<str>),
}

/// A file, or what is no folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The name as text; see [`super::escaped_name`].
    pub(super) name: Box<str>,
    pub(super) place: Place,
    pub(super) state: State,
    /// Whether it, or a folder that it lies in, is a link.
    pub(super) linked: bool,
}

/// A folder with its contents by name; what is left alone by name is not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) name: Box<str>,
    pub(super) leaves: Vec<Leaf>,
    pub(super) branches: Vec<Branch>,
}

impl Branch {
    fn sort(&mut self) {
        self.leaves.sort_by(|a, b| a.name.cmp(&b.name));
        // An archive that was appended to holds a name twice; the later one counts, as when it is unpacked.
        self.leaves.dedup_by(|later, earlier| {
            let same = later.name == earlier.name;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        self.branches.sort_by(|a, b| a.name.cmp(&b.name));
        self.branches.iter_mut().for_each(Self::sort);
    }

    fn folder(&mut self, names: &[String]) -> &mut Self {
        let Some((name, inner)) = names.split_first() else { return self };
        let at = self.branches.iter().rposition(|branch| *branch.name == **name).unwrap_or_else(|| {
            self.branches.push(Self { name: name.as_str().into(), ..Self::default() });
            self.branches.len() - 1
        });
        self.branches[at].folder(inner)
    }
}

/// The contents of a folder.
///
/// # Errors
/// [`Error::Io`] for a folder that cannot be listed.
pub(super) fn scan_folder(folder: &Path) -> Result<Branch, Error> {
    let real = fs::canonicalize(folder).map_err(Error::io(folder))?;
    let mut root = read_folder(folder, "", &mut vec![real], 0)?;
    root.sort();
    Ok(root)
}

/// `open`: the real paths of the folders around, this one last; `links`: how many of them were reached by links.
fn read_folder(folder: &Path, name: &str, open: &mut Vec<PathBuf>, links: usize) -> Result<Branch, Error> {
    let mut branch = Branch { name: name.into(), ..Branch::default() };
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let name = escaped_name(&entry.file_name());
        if is_left_alone(&name) {
            continue;
        }
        let (path, kind) = (entry.path(), entry.file_type().map_err(Error::io(folder))?);
        let (found, real) = if kind.is_symlink() {
            target(&path, open, links)
        } else if kind.is_dir() {
            (Found::Folder, None)
        } else {
            (file(kind.is_file()), None)
        };
        match found {
            Found::Folder => {
                let links = links + usize::from(real.is_some());
                let below = open.last().map(|around| around.join(entry.file_name()));
                open.extend(real.or(below));
                branch.branches.push(read_folder(&path, &name, open, links)?);
                open.pop();
            }
            Found::Leaf(state) => {
                let written = if kind.is_file() { written_link(&path, &name) } else { None };
                let linked = kind.is_symlink() || links > 0 || written.is_some();
                let (state, path) = match written {
                    Some((to, target)) => (State::WrittenLink(to.into()), target),
                    None => (state, path),
                };
                let place = Place::Path(path.into_boxed_path());
                branch.leaves.push(Leaf { name: name.into(), place, state, linked });
            }
        }
    }
    Ok(branch)
}

enum Found {
    Folder,
    Leaf(State),
}

/// Pipes and devices are not opened: reading one may never end.
fn file(is_file: bool) -> Found {
    Found::Leaf(if is_file { State::File } else { State::Unusable("no regular file".into()) })
}

/// The text and the target of a picture's file that is shorter than any picture and holds the path of a file.
fn written_link(path: &Path, name: &str) -> Option<(String, PathBuf)> {
    if !is_picture(name) || fs::metadata(path).ok()?.len() > LONGEST_PATH {
        return None;
    }
    let text = String::from_utf8(fs::read(path).ok()?).ok()?;
    let is_path = !text.is_empty() && !text.contains(char::is_control);
    let target = path.parent()?.join(&text);
    (is_path && target.is_file()).then_some((text, target))
}

/// What a link leads to, and the real path of a folder.
fn target(link: &Path, open: &[PathBuf], links: usize) -> (Found, Option<PathBuf>) {
    let to = fs::read_link(link).map(|to| escaped_name(to.as_os_str())).unwrap_or_default();
    let found = match fs::canonicalize(link).and_then(|real| Ok((fs::metadata(&real)?, real))) {
        Ok((metadata, _)) if !metadata.is_dir() => file(metadata.is_file()),
        Ok((_, real)) if open.iter().any(|around| around.starts_with(&real)) => {
            Found::Leaf(State::Loop(format!("a link to `{to}`, a folder that it lies in").into()))
        }
        Ok(_) if links >= MOST_LINKS => {
            let problem = format!("a link within {MOST_LINKS} linked folders; no more are followed");
            Found::Leaf(State::Unusable(problem.into()))
        }
        Ok((_, real)) => return (Found::Folder, Some(real)),
        Err(error) => {
            let problem = format!("a dangling link: it leads to `{to}` ({error})");
            Found::Leaf(State::Unusable(problem.into()))
        }
    };
    (found, None)
}

/// The contents of an archive, whose members are told by their numbers.
///
/// # Errors
/// [`Error::Io`], [`Error::Compressed`].
pub(super) fn scan_archive(path: &Path) -> Result<Branch, Error> {
    let file = fs::File::open(path).map_err(Error::io(path))?;
    let (mut root, mut member) = (Branch::default(), 0);
    let look = |name: &[u8], kind| {
        add_member(&mut root, name, kind, member);
        member += 1;
        None::<()>
    };
    for_each_member(file, path, look, |(), _| Ok(()))?;
    root.sort();
    Ok(root)
}

fn add_member(root: &mut Branch, name: &[u8], kind: MemberKind, member: usize) {
    let parts = name.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let mut names: Vec<String> = parts.map(escaped_bytes).collect();
    if names.iter().any(|name| is_left_alone(name)) {
        return;
    }
    if kind == MemberKind::Folder {
        root.folder(&names);
        return;
    }
    let Some(name) = names.pop() else { return };
    let state = match kind {
        MemberKind::Link => State::Unusable(
            "a link within an archive, which is not followed; pack with `--dereference --hard-dereference`"
                .into(),
        ),
        MemberKind::Other => State::Unusable("no regular file".into()),
        MemberKind::File | MemberKind::Folder => State::File,
    };
    let leaf = Leaf { name: name.into(), place: Place::Member(member), state, linked: false };
    root.folder(&names).leaves.push(leaf);
}
