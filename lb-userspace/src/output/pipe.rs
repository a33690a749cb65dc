//! Writing to a reader that may not read.
//!
//! A write to a full pipe blocks, and a command that handles signals itself would then not hear them. So no write
//! begins before there is room for it, and a signal ends the wait.

use std::{
    io::{self, Write},
    os::fd::AsFd,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// A pipe that poll(2) reports as writable takes at least as much (`PIPE_BUF`).
const ROOM: usize = 4_096;

/// How long a signal may go unheard.
const LOOK_MS: u8 = 100;

/// Set by a signal that ends the command.
static ENDED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on these signals, which the command handles itself, end every wait for a reader.
///
/// # Errors
///
/// A signal cannot be caught.
pub fn end_waits_on(signals: &[i32]) -> io::Result<()> {
    signals.iter().try_for_each(|signal| signal_hook::flag::register(*signal, Arc::clone(&ENDED)).map(drop))
}

/// Whether such a signal has come.
pub fn is_ended() -> bool {
    ENDED.load(Ordering::Relaxed)
}

/// Writes only what there is room for. Where nobody reads until a signal ends the command, the reader counts as gone
/// (`BrokenPipe`).
#[derive(Debug)]
pub struct Patient<W>(pub W);

impl<W: Write + AsFd> Patient<W> {
    fn wait(&self) -> io::Result<()> {
        loop {
            let ended = is_ended();
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut fds, PollTimeout::from(if ended { 0 } else { LOOK_MS })) {
                Ok(0) | Err(Errno::EINTR) => {}
                // An error or a closed reader is the write's to report.
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if ended {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads"));
            }
        }
    }
}

impl<W: Write + AsFd> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.wait()?;
            let result = self.0.write(&bytes[..bytes.len().min(ROOM)]);
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // What the writer holds back must not need room later.
                Ok(written) => return self.0.flush().map(|()| written),
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read as _, thread};

    use super::*;

    #[test]
    fn everything_arrives_at_a_slow_reader() {
        let (mut reader, writer) = io::pipe().unwrap();
        let sent: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
        let expected = sent.clone();
        let thread = thread::spawn(move || Patient(writer).write_all(&sent).unwrap());
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        thread.join().unwrap();
        assert!(received == expected, "{} bytes", received.len());
    }

    #[test]
    fn a_closed_reader_is_a_broken_pipe_and_a_full_device_is_full() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        assert_eq!(Patient(writer).write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(Patient(full).write(b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
