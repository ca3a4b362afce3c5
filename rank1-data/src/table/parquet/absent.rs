//! What stands for the reader of Parquet files in a build without it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::super::bytes::Content;
use super::super::error::TableError;
use super::super::read::{Reading, Table};
use super::error::ParquetError;
use crate::Error;

/// Rows that cannot be there.
pub(in crate::table) enum ParquetRows {}

impl ParquetRows {
    pub(in crate::table) fn of_file(_: File, path: &Path, _: &Reading<'_>) -> Result<Self, Error> {
        Err(refused(path))
    }

    pub(in crate::table) fn of_stream(_: impl Read, path: &Path, _: &Reading<'_>) -> Result<Self, Error> {
        Err(refused(path))
    }

    pub(in crate::table) fn header(&self) -> &[String] {
        match *self {}
    }

    pub(in crate::table) fn fill(
        &mut self,
        _: &mut Table,
        _: &mut [Vec<String>],
        _: usize,
    ) -> Result<(), Error> {
        match *self {}
    }

    pub(in crate::table) fn count(&self) -> Result<usize, Error> {
        match *self {}
    }

    pub(in crate::table) fn skip(&mut self, _: usize) -> Result<(), Error> {
        match *self {}
    }

    pub(in crate::table) fn found_decimal(&self, _: &Reading<'_>) -> Result<char, Error> {
        match *self {}
    }
}

pub(in crate::table) fn table(_: Content, path: &Path, _: &Reading<'_>) -> Result<Table, Error> {
    Err(refused(path))
}

fn refused(path: &Path) -> Error {
    TableError::from(ParquetError::NotBuilt { path: path.into() }).into()
}
