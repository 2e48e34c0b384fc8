//! A disk file in the table of open files.
//!
//! Operations are done when they are started; those without wait are finished by AWAITIOX like any other.

use super::entries::DISK_TYPE_WORDS;
use super::errors;
use super::file::DiskFile;
use crate::files::operations::{Kind, Outcome};
use crate::files::{Mode, OtherFile, Transfer};
use pollux_wire::FileError;
use std::any::Any;

/// CONTROL: the file ends at the current position.
const CONTROL_WRITE_EOF: i16 = 2;
/// CONTROL: what was written is on the disk.
const CONTROL_REFRESH: i16 = 27;
/// First word of the message of a CONTROL.
const CONTROL_MESSAGE: i16 = -32;

impl OtherFile for DiskFile {
    fn type_words(&self) -> [i16; 5] {
        DISK_TYPE_WORDS
    }

    fn start(&mut self, transfer: &Transfer, _mode: Mode) -> Result<Option<Outcome>, FileError> {
        let written = |count| Outcome { error: FileError::OK, data: Vec::new(), count };
        let read = |data: Vec<u8>| Outcome { error: FileError::OK, count: data.len(), data };
        let done = match transfer.kind {
            Kind::Read => self.read(transfer.read.bytes()).map(read),
            Kind::ReadUpdate => self.read_update(transfer.read.bytes()).map(read),
            Kind::Write => self.write(&transfer.write.get()).map(written),
            Kind::WriteUpdate => self.write_update(&transfer.write.get()).map(written),
            Kind::WriteRead | Kind::Open | Kind::Control | Kind::Socket => {
                return Err(FileError::INVALID_OPERATION);
            }
        };
        Ok(Some(done.unwrap_or_else(Outcome::failed)))
    }

    fn poll(&mut self) -> Option<Outcome> {
        None
    }

    fn control(&mut self, message: &[u8]) -> Result<Vec<u8>, FileError> {
        let word = |at: usize| message.get(at..at + 2).map(|word| i16::from_ne_bytes([word[0], word[1]]));
        match (word(0), word(2)) {
            (Some(CONTROL_MESSAGE), Some(CONTROL_WRITE_EOF)) => {
                let end = self.position()?;
                self.cut(end)?;
            }
            (Some(CONTROL_MESSAGE), Some(CONTROL_REFRESH)) => self.refresh()?,
            (Some(CONTROL_MESSAGE), _) => return Err(FileError::INVALID_OPERATION),
            // SETMODE and the like: nothing here depends on them.
            (Some(_), _) => {}
            (None, _) => return Err(errors::BAD_PARAMETER),
        }
        Ok(Vec::new())
    }

    fn cancel(&mut self) {}

    fn close(&mut self) {}

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
