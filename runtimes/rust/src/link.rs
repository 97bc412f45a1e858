//! Frames in and out of the two pipes (PROTOCOL.md sections 1 and 2). It does not know what a body means.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::raw::{c_int, c_short, c_ulong};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::io::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

pub const LOAD: u8 = 1;
pub const UNLOAD: u8 = 2;
pub const WIRES: u8 = 3;
pub const DATA: u8 = 4;
pub const PULL: u8 = 5;
pub const PAUSE: u8 = 6;
pub const CALL: u8 = 7;
pub const STOP: u8 = 8;
pub const PING: u8 = 9;
pub const HELLO: u8 = 16;
pub const CONTEXT: u8 = 17;
pub const ERROR: u8 = 18;
pub const LOG: u8 = 19;
pub const TURN: u8 = 20;
pub const COMMIT: u8 = 21;
pub const PAUSED: u8 = 22;
pub const RESULT: u8 = 23;
pub const FINISHED: u8 = 24;
pub const PONG: u8 = 25;

pub const REDELIVERED: u8 = 1;
pub const HEADERS: u8 = 2;
pub const TURN_FLAG: u8 = 4;
pub const DELETED: u8 = 8;
pub const HELD: u8 = 16;

pub const NONE: u16 = 0xffff;
pub const NO_INDEX: u32 = 0xffff_ffff;

const HEADER_BYTES: usize = 24;
const MAX_BODY_BYTES: usize = 64 << 20;
const READ_BYTES: usize = 256 << 10;
const BAD_FRAME_STATUS: i32 = 3;
const O_NONBLOCK: i32 = 0o4000;
const POLLIN: c_short = 1;

static OUTPUT: Mutex<Option<File>> = Mutex::new(None);
static HAS_LEFT: AtomicBool = AtomicBool::new(false);

/// Whether this is a forked child, which keeps away from the link.
pub fn has_left() -> bool {
    HAS_LEFT.load(Ordering::Relaxed)
}

extern "C" fn leave() {
    HAS_LEFT.store(true, Ordering::Relaxed);
}

/// The fields of a frame but for its body.
#[derive(Clone, Copy, Default)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub slot: u16,
    pub skip: u32,
    pub count: u32,
    pub first: u64,
}

impl Frame {
    /// Append the frame with its body.
    pub fn put(&self, out: &mut Vec<u8>, body: &[u8]) {
        self.put_header(out, body.len());
        out.extend_from_slice(body);
    }

    /// Append the header of a frame whose body comes next.
    pub fn put_header(&self, out: &mut Vec<u8>, body_bytes: usize) {
        out.extend_from_slice(&(body_bytes as u32).to_le_bytes());
        out.extend_from_slice(&[self.kind, self.flags]);
        out.extend_from_slice(&self.slot.to_le_bytes());
        out.extend_from_slice(&self.skip.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
    }

    /// Write it alone, at once.
    pub fn write(&self, body: &[u8]) {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
        self.put(&mut bytes, body);
        write(&bytes);
    }

    fn parse(header: &[u8]) -> (Self, usize) {
        let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
        let frame = Self {
            kind: header[4],
            flags: header[5],
            slot: u16_at(6),
            skip: u32_at(8),
            count: u32_at(12),
            first: u64::from(u32_at(16)) | u64::from(u32_at(20)) << 32,
        };
        (frame, u32_at(0) as usize)
    }
}

pub fn open_output(path: &str) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    *OUTPUT.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    // SAFETY: `leave` does what a signal handler may.
    let status = unsafe { pthread_atfork(None, None, Some(leave)) };
    if status == 0 {
        Ok(())
    } else {
        Err(std::io::Error::from_raw_os_error(status))
    }
}

/// Write whole frames. The runner always reads, so this may block.
pub fn write(bytes: &[u8]) {
    if has_left() {
        return;
    }
    let mut output = OUTPUT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = output.as_mut() {
        if let Err(error) = file.write_all(bytes) {
            if error.kind() == ErrorKind::BrokenPipe {
                exit(0); // the runner is gone
            }
            drop(output);
            panic!("write: {error}");
        }
    }
}

#[repr(C)]
struct PollFd {
    fd: c_int,
    events: c_short,
    revents: c_short,
}

extern "C" {
    fn pthread_atfork(
        before: Option<extern "C" fn()>,
        here: Option<extern "C" fn()>,
        there: Option<extern "C" fn()>,
    ) -> c_int;
    fn poll(fds: *mut PollFd, count: c_ulong, timeout_ms: c_int) -> c_int;
}

/// The input pipe, and the socket by which threads wake the loop.
pub struct Input {
    pipe: File,
    wakes: UnixStream,
    buffer: Vec<u8>, // all of it may be read into
    start: usize,
    end: usize,
}

impl Input {
    /// Opens the pipe; also returns what wakes a `wait`.
    pub fn open(path: &str) -> std::io::Result<(Self, UnixStream)> {
        let pipe = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
        let (wakes, waker) = UnixStream::pair()?;
        wakes.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        Ok((Self { pipe, wakes, buffer: vec![0; READ_BYTES], start: 0, end: 0 }, waker))
    }

    /// Wait until there is something to read, or a wake.
    pub fn wait(&mut self) {
        let entry = |fd: c_int| PollFd { fd, events: POLLIN, revents: 0 };
        let mut fds = [entry(self.pipe.as_raw_fd()), entry(self.wakes.as_raw_fd())];
        // SAFETY: the array outlives the call and its length is given.
        let ready = unsafe { poll(fds.as_mut_ptr(), fds.len() as c_ulong, -1) };
        if ready > 0 && fds[1].revents != 0 {
            while matches!(self.wakes.read(&mut [0; 64]), Ok(64)) {}
        }
    }

    /// Read what is there; false if that is nothing. Ends the process at the end of the input.
    pub fn read(&mut self) -> bool {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.buffer.truncate(READ_BYTES);
            self.buffer.shrink_to_fit();
        } else if self.buffer.len() - self.end < READ_BYTES / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.buffer.len() - self.end < READ_BYTES / 2 {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
        }
        match self.pipe.read(&mut self.buffer[self.end..]) {
            Ok(0) => exit(0),
            Ok(count) => {
                self.end += count;
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => false,
            Err(error) => panic!("read: {error}"),
        }
    }

    /// The next whole frame that was read. A bad frame ends the process.
    pub fn next(&mut self) -> Option<(Frame, Vec<u8>)> {
        let bytes = &self.buffer[self.start..self.end];
        if bytes.len() < HEADER_BYTES {
            return None;
        }
        let (frame, size) = Frame::parse(&bytes[..HEADER_BYTES]);
        if size > MAX_BODY_BYTES || !(LOAD..=PING).contains(&frame.kind) {
            exit(BAD_FRAME_STATUS);
        }
        let body = bytes.get(HEADER_BYTES..HEADER_BYTES + size)?.to_vec();
        self.start += HEADER_BYTES + size;
        Some((frame, body))
    }
}
