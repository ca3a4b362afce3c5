//! First pass: which items and words the training patients have often enough.
//!
//! Not for values; see the second pass.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;

use super::events::{Event, Item, Source};
use super::options::MimicOptions;
use super::table::{Table, find};
use crate::Error;

/// Words that are counted at once; beyond it the rarest are forgotten, which bounds memory and may undercount only
/// words that stay rare.
const MOST_WORDS: usize = 2_000_000;

#[derive(Debug, Default)]
pub(super) struct Counter {
    /// Events with and without a number.
    items: HashMap<Item, [u64; 2]>,
    words: HashMap<String, u64>,
    forgotten_below: u64,
}

impl Counter {
    pub(super) fn take(&mut self, event: &Event<'_>) {
        match *event {
            Event::Item { item, value } => {
                self.items.entry(item).or_default()[usize::from(value.is_none())] += 1;
            }
            Event::Token(word) => match self.words.get_mut(word) {
                Some(n) => *n += 1,
                None => {
                    self.words.insert(word.to_owned(), 1);
                    while self.words.len() > MOST_WORDS {
                        self.forgotten_below += 1;
                        let least = self.forgotten_below;
                        self.words.retain(|_, n| *n > least);
                    }
                }
            },
        }
    }
}

/// The features of a step, by frequency among training patients, ties by number or spelling.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    pub(super) dense: Vec<Item>,
    pub(super) items: Vec<Item>,
    pub(super) words: Vec<String>,
    dense_at: HashMap<Item, usize>,
    item_at: HashMap<Item, usize>,
    word_at: HashMap<String, usize>,
}

/// A place among the features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    Dense(usize, f64),
    Bag(usize),
}

impl Vocabulary {
    pub(super) fn choose(counter: Counter, options: &MimicOptions) -> Self {
        let enough = |n: &u64| *n >= options.min_count.max(1);
        let numeric = counter.items.iter().map(|(item, counts)| (*item, counts[0]));
        let dense = most_frequent(numeric.filter(|(_, n)| enough(n)), options.max_dense);
        let dense_at = places(&dense);
        let counted = counter.items.iter().map(|(item, [numeric, other])| {
            (*item, if dense_at.contains_key(item) { *other } else { numeric + other })
        });
        let items = most_frequent(counted.filter(|(_, n)| enough(n)), options.max_items);
        let words = most_frequent(counter.words.into_iter().filter(|(_, n)| enough(n)), options.max_tokens);
        let (item_at, word_at) = (places(&items), places(&words));
        Self { dense, items, words, dense_at, item_at, word_at }
    }

    pub(super) fn n_bag(&self) -> usize {
        self.items.len() + self.words.len()
    }

    pub(super) fn place(&self, event: &Event<'_>) -> Option<Place> {
        match event {
            Event::Item { item, value } => {
                let dense = value.and_then(|value| Some(Place::Dense(*self.dense_at.get(item)?, value)));
                dense.or_else(|| self.item_at.get(item).copied().map(Place::Bag))
            }
            Event::Token(word) => self.word_at.get(*word).map(|at| Place::Bag(self.items.len() + at)),
        }
    }
}

fn most_frequent<K: Ord>(counts: impl Iterator<Item = (K, u64)>, most: usize) -> Vec<K> {
    let mut counts: Vec<(Reverse<u64>, K)> = counts.map(|(key, n)| (Reverse(n), key)).collect();
    counts.sort_unstable();
    counts.into_iter().take(most).map(|(_, key)| key).collect()
}

fn places<K: Clone + Eq + std::hash::Hash>(keys: &[K]) -> HashMap<K, usize> {
    keys.iter().cloned().zip(0..).collect()
}

/// Names such as `lab:50912 Creatinine`; the labels come from D_ITEMS and D_LABITEMS where these are present.
#[derive(Debug, Default)]
pub(super) struct Labels {
    items: HashMap<u32, String>,
    labs: HashMap<u32, String>,
}

impl Labels {
    pub(super) fn read(root: &Path) -> Result<Self, Error> {
        Ok(Self { items: dictionary(root, "D_ITEMS")?, labs: dictionary(root, "D_LABITEMS")? })
    }

    pub(super) fn name(&self, item: Item) -> String {
        let (source, labels) = match item.source {
            Source::Chart => ("chart", &self.items),
            Source::Lab => ("lab", &self.labs),
            Source::Input => ("input", &self.items),
            Source::Output => ("output", &self.items),
        };
        match labels.get(&item.id).filter(|label| !label.is_empty()) {
            Some(label) => format!("{source}:{} {label}", item.id),
            None => format!("{source}:{}", item.id),
        }
    }
}

fn dictionary(root: &Path, name: &str) -> Result<HashMap<u32, String>, Error> {
    let mut labels = HashMap::new();
    if let Some(file) = find(root, name) {
        let mut table = Table::open(file, &["ITEMID", "LABEL"])?;
        while table.advance()? {
            labels.insert(table.id(0)?, String::from_utf8_lossy(table.field(1)).into_owned());
        }
    }
    Ok(labels)
}
