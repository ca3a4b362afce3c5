//! The one rule of image folders: which of a tree's files are pictures of which class, and what becomes of all the others.
//!
//! Not for reading names or decoding; folders and archives, in memory or listed, all go through here.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::names::{Formats, is_picture, is_unread_picture, not_read, shown};
use super::scan::{Branch, Leaf, Place, State};
use super::{ImageError, LeftOut, SkippedImage};

/// The parts that are looked for, the training part first.
pub(super) const PARTS: [&str; 3] = ["train", "test", "val"];

/// A picture of a class, or of none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Within its class; also below sub-folders.
    pub(super) name: String,
    pub(super) place: Place,
    linked: bool,
}

/// A class and its pictures by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClassFiles {
    pub(super) name: String,
    pub(super) files: Vec<Found>,
}

/// A tree whose files have been judged by their names.
#[derive(Debug, Default)]
pub(super) struct Arranged {
    /// The parts of a divided set, or everything in the first; a part that is not there has no class.
    pub(super) parts: [Vec<ClassFiles>; 3],
    /// Whether there is a training part.
    pub(super) divided: bool,
    pub(super) left_out: LeftOut,
}

/// Judges the files of a set of classes. `root` is the folder or archive, for messages.
///
/// # Errors
/// [`ImageError::NestedImages`] for a class folder that holds pictures in its sub-folders alone.
pub(super) fn arrange_set(root: &Path, tree: Branch, formats: Formats) -> Result<Arranged, ImageError> {
    let mut judge = Judge::new(root, formats);
    let (mut tree, mut place) = (tree, root.to_owned());
    while let Some(inner) = outer(&tree) {
        judge.beside(&place, &tree.leaves);
        place.push(&*tree.branches[inner].name);
        tree = tree.branches.swap_remove(inner);
    }
    let mut out = Arranged { divided: is_divided(&tree), ..Arranged::default() };
    if !out.divided {
        out.parts[0] = judge.classes(&place, tree)?;
        out.left_out = judge.out;
        return Ok(out);
    }
    judge.beside(&place, &tree.leaves);
    let has_test = tree.branches.iter().any(|part| *part.name == *PARTS[1]);
    for part in tree.branches {
        let at = place.join(&*part.name);
        match PARTS.iter().position(|name| **name == *part.name) {
            Some(2) if has_test => judge.unused(&at, &part, "the test part is `test`"),
            Some(number) => out.parts[number] = judge.classes(&at, part)?,
            None => judge.unused(&at, &part, "the parts of a set are `train`, `test` and `val`"),
        }
    }
    out.left_out = judge.out;
    Ok(out)
}

/// Judges the files of class folders that are known to be no parts; JPEG and PNG are read.
///
/// # Errors
/// As [`arrange_set`].
pub(super) fn arrange_classes(root: &Path, tree: Branch) -> Result<(Vec<ClassFiles>, LeftOut), ImageError> {
    let mut judge = Judge::new(root, Formats::default());
    let classes = judge.classes(root, tree)?;
    Ok((classes, judge.out))
}

/// The pictures of a folder without classes and of its sub-folders, of all formats, by name; every picture once.
pub(super) fn arrange_unlabeled(root: &Path, tree: Branch) -> (Vec<Found>, LeftOut) {
    let (mut judge, mut files) = (Judge::new(root, Formats::ALL), Vec::new());
    judge.gather(root, "", tree, false, &mut files);
    judge.only_once(root, &mut files);
    sort(&mut files);
    (files, judge.out)
}

/// By folders within one another, as paths are sorted.
fn sort(files: &mut [Found]) {
    files.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
}

/// The one folder in a tree, if the folders in it hold pictures: it is around the set, for one class alone makes none.
fn outer(tree: &Branch) -> Option<usize> {
    let [inner] = tree.branches.as_slice() else { return None };
    let is_outer = pictures(tree) == 0 && inner.branches.iter().any(|class| below(class).0 > 0);
    (is_outer && *inner.name != *PARTS[0]).then_some(0)
}

/// A folder `train` that holds pictures itself is a class, unless there is another part and some lie loose in this one.
fn is_divided(tree: &Branch) -> bool {
    let part = |name: &str| tree.branches.iter().find(|part| *part.name == *name);
    let Some(train) = part(PARTS[0]) else { return false };
    let another = PARTS[1..].iter().any(|name| part(name).is_some());
    pictures(train) == 0 || (another && below(train).0 > pictures(train))
}

/// Pictures by their names, without those of sub-folders.
fn pictures(branch: &Branch) -> usize {
    branch.leaves.iter().filter(|leaf| is_picture(&leaf.name)).count()
}

/// A picture below a folder, and how many there are.
fn below(branch: &Branch) -> (usize, Option<String>) {
    let own = branch.leaves.iter().filter(|leaf| is_picture(&leaf.name)).map(|leaf| leaf.name.to_string());
    let (mut count, mut first) = (0, None);
    own.for_each(|name| {
        count += 1;
        first.get_or_insert(name);
    });
    for inner in &branch.branches {
        let (more, name) = below(inner);
        count += more;
        first = first.or(name.map(|name| format!("{}/{name}", inner.name)));
    }
    (count, first)
}

struct Judge {
    /// Whether the root is an archive.
    packed: bool,
    root: PathBuf,
    formats: Formats,
    out: LeftOut,
}

impl Judge {
    fn new(root: &Path, formats: Formats) -> Self {
        Self { packed: !root.is_dir(), root: root.into(), formats, out: LeftOut::default() }
    }

    /// The name of a file in messages; `archive:member` for members of archives.
    fn named(&self, folder: &Path, name: &str) -> String {
        let path = folder.join(name);
        match path.strip_prefix(&self.root) {
            Ok(member) if self.packed => format!("{}:{}", shown(&self.root).display(), member.display()),
            _ => shown(&path).display().to_string(),
        }
    }

    fn bad(&mut self, folder: &Path, name: &str, problem: impl Into<String>) {
        let path = self.named(folder, name);
        self.out.bad.push(SkippedImage { path, problem: problem.into() });
    }

    fn tell(&mut self, folder: &Path, name: &str, problem: impl Into<String>) {
        let path = self.named(folder, name);
        self.out.told.push(SkippedImage { path, problem: problem.into() });
    }

    /// Files beside class folders or parts: a picture there is of no class, anything else is no part of the set.
    fn beside(&mut self, folder: &Path, leaves: &[Leaf]) {
        for leaf in leaves {
            match &leaf.state {
                State::Loop(problem) | State::Unusable(problem) => self.bad(folder, &leaf.name, &**problem),
                State::File | State::WrittenLink(_)
                    if is_picture(&leaf.name) || is_unread_picture(&leaf.name) =>
                {
                    self.bad(folder, &leaf.name, "lies beside the class folders, so that it has no class");
                }
                State::File | State::WrittenLink(_) => {
                    self.tell(folder, &leaf.name, "no picture by its name, beside the class folders");
                }
            }
        }
    }

    fn unused(&mut self, folder: &Path, part: &Branch, why: &str) {
        let (count, _) = below(part);
        self.tell(folder, "", format!("not read with its {count} pictures: {why}"));
    }

    fn classes(&mut self, folder: &Path, tree: Branch) -> Result<Vec<ClassFiles>, ImageError> {
        self.beside(folder, &tree.leaves);
        let mut classes = Vec::new();
        for class in tree.branches {
            let (name, place) = (class.name.to_string(), folder.join(&*class.name));
            let (own, (all, _)) = (pictures(&class), below(&class));
            if own == 0 && all > 0 {
                let example = below(&class).1.unwrap_or_default();
                return Err(ImageError::NestedImages { path: shown(&place), example });
            }
            if all > own {
                let problem = format!("{} pictures in its sub-folders are of this class too", all - own);
                self.tell(&place, "", problem);
            }
            let mut files = Vec::new();
            self.gather(&place, "", class, true, &mut files);
            self.only_once(&place, &mut files);
            sort(&mut files);
            classes.push(ClassFiles { name, files });
        }
        Ok(classes)
    }

    /// The pictures of a folder and its sub-folders. Of a class every file has to be one; among files without classes
    /// what is no picture by its name, and a link that leads to nothing new, are only told.
    fn gather(&mut self, root: &Path, within: &str, tree: Branch, of_class: bool, files: &mut Vec<Found>) {
        let folder = if within.is_empty() { root.to_owned() } else { root.join(within) };
        let inside =
            |name: &str| if within.is_empty() { name.to_owned() } else { format!("{within}/{name}") };
        for Leaf { name, place, state, linked } in tree.leaves {
            match state {
                State::File if self.formats.reads(&name) => {
                    files.push(Found { name: inside(&name), place, linked })
                }
                State::WrittenLink(to) if self.formats.reads(&name) => {
                    let problem = format!("a text in the place of a link to `{to}`, which is read");
                    self.tell(&folder, &name, problem);
                    files.push(Found { name: inside(&name), place, linked });
                }
                State::File | State::WrittenLink(_)
                    if of_class || is_picture(&name) || is_unread_picture(&name) =>
                {
                    self.bad(&folder, &name, not_read(&name));
                }
                State::File | State::WrittenLink(_) => self.tell(&folder, &name, not_read(&name)),
                State::Loop(problem) if !of_class => {
                    self.tell(&folder, &name, format!("{problem}; its pictures are read once"));
                }
                State::Loop(problem) | State::Unusable(problem) => self.bad(&folder, &name, problem),
            }
        }
        for inner in tree.branches {
            self.gather(root, &inside(&inner.name), inner, of_class, files);
        }
    }

    /// Of a file that links lead to again the copy that is no link stays, or else the first by name.
    fn only_once(&mut self, folder: &Path, files: &mut Vec<Found>) {
        if !files.iter().any(|file| file.linked) {
            return;
        }
        files.sort_by(|a, b| (a.linked, &a.name).cmp(&(b.linked, &b.name)));
        let mut seen: HashMap<PathBuf, String> = HashMap::new();
        let mut told = Vec::new();
        files.retain(|file| {
            let Place::Path(path) = &file.place else { return true };
            // A file that vanished meanwhile is named when it is read.
            let Ok(real) = fs::canonicalize(path) else { return true };
            match seen.get(&real) {
                Some(first) => {
                    told.push((file.name.clone(), format!("the same file as `{first}`, read once")))
                }
                None => {
                    seen.insert(real, file.name.clone());
                    return true;
                }
            }
            false
        });
        told.into_iter().for_each(|(name, problem)| self.tell(folder, &name, problem));
    }
}

#[cfg(test)]
#[path = "arrange_tests.rs"]
mod tests;
