//! A strict reader of the Python pickles in which CIFAR is published: dictionaries of byte arrays, lists and texts.
//!
//! Not a pickle machine. Nothing is executed or imported: the only functions known are those that say "here is an array
//! of bytes" (and the one by which protocol 2 spells bytes); any other opcode or name is refused with its place.

use std::borrow::Cow;
use std::path::Path;

use super::ImageError;
use super::pickle_value::{Known, Pickle, Value};

type Id = usize;

/// Reads one pickle of protocol 2, 3 or 4.
///
/// # Errors
/// [`ImageError::PickleProtocol`], [`ImageError::PickleOpcode`] and [`ImageError::Pickle`] with the byte.
pub(super) fn parse<'a>(bytes: &'a [u8], path: &Path) -> Result<Pickle<'a>, ImageError> {
    let mut machine = Machine {
        bytes,
        path,
        at: 0,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
    };
    let root = machine.run()?;
    Ok(Pickle { path: path.to_owned(), values: machine.values, root })
}

struct Machine<'a, 'p> {
    bytes: &'a [u8],
    path: &'p Path,
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: Vec<Option<Id>>,
}

impl<'a> Machine<'a, '_> {
    fn run(&mut self) -> Result<Id, ImageError> {
        if self.bytes.first() != Some(&0x80) {
            // Protocols 0 and 1 have no header; an empty file is truncated.
            return Err(if self.bytes.is_empty() {
                self.problem("truncated pickle")
            } else {
                ImageError::PickleProtocol { path: self.path.into(), got: 0 }
            });
        }
        loop {
            let offset = self.at;
            let opcode = self.byte()?;
            match opcode {
                0x80 => {
                    let got = self.byte()?;
                    if offset != 0 || !(2..=4).contains(&got) {
                        return Err(ImageError::PickleProtocol { path: self.path.into(), got });
                    }
                }
                // FRAME: a length that only helps buffered readers.
                0x95 => {
                    self.take(8)?;
                }
                b'.' => {
                    let root = self.pop()?;
                    if self.at != self.bytes.len() {
                        return Err(self.problem("bytes after the end of the pickle"));
                    }
                    return Ok(root);
                }
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.push(Value::None),
                0x88 => self.push(Value::Bool(true)),
                0x89 => self.push(Value::Bool(false)),
                b'K' => {
                    let value = self.byte()?;
                    self.push(Value::Int(i64::from(value)));
                }
                b'M' => {
                    let value = self.length(2)?;
                    self.push(Value::Int(value as i64));
                }
                b'J' => {
                    let value = self.length(4)? as u32 as i32;
                    self.push(Value::Int(i64::from(value)));
                }
                0x8a => self.long()?,
                b'G' => {
                    self.take(8)?;
                    self.push(Value::Float);
                }
                b'U' | b'C' => self.binary(1)?,
                b'T' | b'B' => self.binary(4)?,
                0x8e => self.binary(8)?,
                0x8c => self.text(1)?,
                b'X' => self.text(4)?,
                0x8d => self.text(8)?,
                b']' => self.push(Value::List(Vec::new())),
                b'}' => self.push(Value::Dict(Vec::new())),
                b')' => self.push(Value::Tuple(Vec::new())),
                0x85..=0x87 => {
                    let n = usize::from(opcode - 0x84);
                    let start = self.stack.len().checked_sub(n).filter(|&start| start >= self.floor());
                    let start = start.ok_or_else(|| self.problem("tuple of more values than there are"))?;
                    let items = self.stack.split_off(start);
                    self.push(Value::Tuple(items));
                }
                b't' => {
                    let items = self.pop_mark()?;
                    self.push(Value::Tuple(items));
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.pop_mark()?;
                    self.append(items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set_items(vec![key, value])?;
                }
                b'u' => {
                    let items = self.pop_mark()?;
                    self.set_items(items)?;
                }
                b'q' | b'r' => {
                    let slot = self.length(if opcode == b'q' { 1 } else { 4 })?;
                    self.memoize(slot)?;
                }
                0x94 => self.memoize(self.memo.len())?,
                b'h' | b'j' => {
                    let slot = self.length(if opcode == b'h' { 1 } else { 4 })?;
                    let id = self.memo.get(slot).copied().flatten();
                    let id = id.ok_or_else(|| self.problem("reference to nothing"))?;
                    self.stack.push(id);
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.global(module, name, offset)?;
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Value::Text(module), Value::Text(name)) = (&self.values[module], &self.values[name])
                    else {
                        return Err(self.problem("a global that is not named by two texts"));
                    };
                    let (module, name) = (*module, *name);
                    self.global(module, name, offset)?;
                }
                b'R' => {
                    let (arguments, function) = (self.pop()?, self.pop()?);
                    let value = self.reduce(function, arguments, offset)?;
                    self.push(value);
                }
                b'b' => {
                    let state = self.pop()?;
                    self.build(state, offset)?;
                }
                _ => return Err(ImageError::PickleOpcode { path: self.path.into(), offset, opcode }),
            }
        }
    }

    fn problem(&self, problem: impl Into<String>) -> ImageError {
        self.problem_at(self.at, problem)
    }

    fn problem_at(&self, offset: usize, problem: impl Into<String>) -> ImageError {
        ImageError::Pickle { path: self.path.into(), offset, problem: problem.into() }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], ImageError> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| {
            self.problem(format!(
                "truncated pickle: {n} bytes announced, {} left",
                self.bytes.len() - self.at
            ))
        })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ImageError> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned little-endian number of `n` bytes.
    fn length(&mut self, n: usize) -> Result<usize, ImageError> {
        let value = self.take(n)?.iter().rev().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
        usize::try_from(value).map_err(|_| self.problem("a length beyond memory"))
    }

    fn line(&mut self) -> Result<&'a str, ImageError> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n');
        let end = end.ok_or_else(|| self.problem("truncated pickle: a name without its end"))?;
        let text = std::str::from_utf8(&rest[..end]).map_err(|_| self.problem("a name that is not UTF-8"))?;
        self.at += end + 1;
        Ok(text)
    }

    fn long(&mut self) -> Result<(), ImageError> {
        let n = self.length(1)?;
        if n > 8 {
            return Err(self.problem("an integer of more than 64 bits"));
        }
        let bytes = self.take(n)?;
        let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut word = [fill; 8];
        word[..n].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(word)));
        Ok(())
    }

    fn binary(&mut self, width: usize) -> Result<(), ImageError> {
        let n = self.length(width)?;
        let bytes = self.take(n)?;
        self.push(Value::Bytes(Cow::Borrowed(bytes)));
        Ok(())
    }

    fn text(&mut self, width: usize) -> Result<(), ImageError> {
        let n = self.length(width)?;
        let bytes = self.take(n)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.problem("a text that is not UTF-8"))?;
        self.push(Value::Text(text));
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    /// The part of the stack that belongs to an open mark and must not be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, ImageError> {
        if self.stack.len() <= self.floor() {
            return Err(self.problem("a value is missing"));
        }
        self.stack.pop().ok_or_else(|| self.problem("a value is missing"))
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, ImageError> {
        let mark = self.marks.pop().ok_or_else(|| self.problem("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&self) -> Result<Id, ImageError> {
        self.stack.last().copied().ok_or_else(|| self.problem("a value is missing"))
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), ImageError> {
        let top = self.top()?;
        match &mut self.values[top] {
            Value::List(list) => list.extend(items),
            _ => return Err(self.problem("items for something that is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Id>) -> Result<(), ImageError> {
        let top = self.top()?;
        let even = items.len().is_multiple_of(2);
        match &mut self.values[top] {
            Value::Dict(entries) if even => {
                entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])))
            }
            _ => return Err(self.problem("entries for something that is no dictionary")),
        }
        Ok(())
    }

    fn memoize(&mut self, slot: usize) -> Result<(), ImageError> {
        let top = self.top()?;
        // Writers number the slots in order of use; a jump would only ask for memory.
        if slot > self.bytes.len() {
            return Err(self.problem("a memo number beyond the size of the file"));
        }
        if slot >= self.memo.len() {
            self.memo.resize(slot + 1, None);
        }
        self.memo[slot] = Some(top);
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str, offset: usize) -> Result<(), ImageError> {
        let known = Known::from_names(module, name)
            .ok_or_else(|| self.problem_at(offset, format!("`{module}.{name}` is not accepted here")))?;
        self.push(Value::Global(known));
        Ok(())
    }

    fn reduce(&mut self, function: Id, arguments: Id, offset: usize) -> Result<Value<'a>, ImageError> {
        let (Value::Global(known), Value::Tuple(arguments)) =
            (&self.values[function], &self.values[arguments])
        else {
            return Err(self.problem_at(offset, "a call of something that is no known function"));
        };
        let get = |i: usize| arguments.get(i).map(|&id| &self.values[id]);
        let value = match (known, get(0), get(1)) {
            (Known::Reconstruct, Some(Value::Global(Known::NdArray)), _) => Some(Value::EmptyArray),
            (Known::Dtype, Some(kind), _) => kind.as_text().map(|kind| Value::Dtype(kind.into_owned())),
            // Protocol 2 of Python 3 spells bytes as Latin-1 text.
            (Known::Encode, Some(Value::Text(text)), Some(Value::Text("latin1" | "latin-1"))) => {
                let bytes: Result<Vec<u8>, _> = text.chars().map(|c| u8::try_from(u32::from(c))).collect();
                bytes.ok().map(|bytes| Value::Bytes(Cow::Owned(bytes)))
            }
            _ => None,
        };
        value.ok_or_else(|| self.problem_at(offset, "a call that does not make an array"))
    }

    fn build(&mut self, state: Id, offset: usize) -> Result<(), ImageError> {
        let target = self.top()?;
        let refusal = |problem: &str| Err(self.problem_at(offset, problem));
        match &self.values[target] {
            // Byte order and alignment; irrelevant for bytes, the only type read.
            Value::Dtype(_) => return Ok(()),
            Value::EmptyArray => {}
            _ => return refusal("a state for something that is no array"),
        }
        let Value::Tuple(state) = &self.values[state] else {
            return refusal("an array state that is no tuple");
        };
        let state: Vec<&Value> = state.iter().map(|&id| &self.values[id]).collect();
        let [
            Value::Int(1),
            Value::Tuple(shape),
            Value::Dtype(dtype),
            Value::Bool(fortran),
            Value::Bytes(data),
        ] = state[..]
        else {
            return refusal("an array state of an unknown form");
        };
        if dtype != "u1" || *fortran {
            return refusal("an array of something else than bytes in C order (dtype u1)");
        }
        let shape: Option<Vec<usize>> = shape
            .iter()
            .map(|&id| match &self.values[id] {
                Value::Int(size) => usize::try_from(*size).ok(),
                _ => None,
            })
            .collect();
        let Some(shape) = shape else { return refusal("an array with an impossible shape") };
        let product = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        if product != Some(data.len()) {
            let got = data.len();
            return Err(self.problem_at(offset, format!("an array of shape {shape:?} with {got} bytes")));
        }
        let data = data.clone();
        self.values[target] = Value::Array { shape, data };
        Ok(())
    }
}
