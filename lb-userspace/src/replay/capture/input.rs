//! A file as a sequence of records, each whole in memory.

use std::io::{ErrorKind, Read};

use super::error::Reason;

/// How many bytes to read at once.
const CHUNK: usize = 1 << 16;

/// A file, read through a buffer that holds one record or one chunk.
#[derive(Debug)]
pub(super) struct Input<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The unread part of the buffer starts here,
    start: usize,
    /// and ends here; the rest of the buffer is free.
    end: usize,
    /// The same position in the file.
    pub(super) offset: u64,
    /// The start of the current record in the file.
    pub(super) record: u64,
    /// The start of the record taken last in the buffer; it ends at `start`.
    last: usize,
}

impl<R: Read> Input<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, end: 0, offset: 0, record: 0, last: 0 }
    }

    /// The next `length` bytes, or fewer at the end of the file. Marks the start of a record.
    pub(super) fn peek(&mut self, length: usize) -> Result<&[u8], Reason> {
        self.record = self.offset;
        self.fill(length)?;
        let end = self.end.min(self.start + length);
        Ok(&self.buffer[self.start..end])
    }

    /// Takes a whole record.
    pub(super) fn take(&mut self, what: &'static str, length: usize) -> Result<&[u8], Reason> {
        self.fill(length)?;
        let have = self.end - self.start;
        if have < length {
            return Err(Reason::Truncated { what, have, need: length });
        }
        self.last = self.start;
        self.start += length;
        self.offset += length as u64;
        Ok(self.last())
    }

    /// The record that was taken last.
    pub(super) fn last(&self) -> &[u8] {
        &self.buffer[self.last..self.start]
    }

    /// Reads until `length` bytes are there or the file ends.
    fn fill(&mut self, length: usize) -> Result<(), Reason> {
        if self.end - self.start >= length {
            return Ok(());
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        (self.start, self.last) = (0, 0);
        while self.end < length {
            // The buffer grows with the data that is there, not with the claimed length.
            if self.buffer.len() < self.end + CHUNK {
                self.buffer.resize(self.end + CHUNK, 0);
            }
            match self.reader.read(&mut self.buffer[self.end..self.end + CHUNK]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Reason::Io(error)),
            }
        }
        Ok(())
    }
}
