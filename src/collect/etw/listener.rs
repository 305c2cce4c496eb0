//! A session of Windows and the thread that listens to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use super::collector::Lane;
use super::delivered::Delivered;
use super::error::{NO_SUCH_SESSION, Which};
use super::ffi::{self, Feed, Heard};
use super::intake::Stopped;
use super::order::Batch;
use super::{EtwError, properties};

/// A batch is handed over when it has so many bytes, or its buffer ends.
const BATCH: usize = 1 << 20;

/// A session and the thread that listens to it.
pub struct Listener {
    /// Which it is.
    pub which: Which,
    /// Its name.
    pub name: String,
    /// Its result is what Windows says as it ends; taken once.
    thread: Option<JoinHandle<u32>>,
}

impl Listener {
    /// Starts a session and listens to it: what it delivers goes to `to`, and `lost` counts what is no record.
    ///
    /// # Errors
    /// It is refused, or cannot be heard.
    pub fn start(
        which: Which,
        lane: Lane,
        name: &str,
        block: &[u8],
        to: &SyncSender<(Lane, Batch)>,
        lost: &Arc<AtomicU64>,
    ) -> Result<Listener, EtwError> {
        ffi::start(name, block).map_err(|code| EtwError::Refused { which, code })?;
        let feed = ToChannel { lane, batch: Batch::default(), to: to.clone(), lost: lost.clone() };
        let heard =
            Heard::open(name, Box::new(feed)).map_err(|code| EtwError::Deaf { which, code })?;
        let thread = std::thread::Builder::new()
            .name(which.name().to_owned())
            .spawn(move || heard.listen())
            .map_err(|cause| EtwError::System { what: "cannot start a thread", cause })?;
        Ok(Listener { which, name: name.to_owned(), thread: Some(thread) })
    }

    /// Whether it ended.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Windows' number for why it ended; waits for that.
    pub fn code(&mut self) -> u32 {
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }

    /// What it lost so far: events and buffers.
    pub fn lost(&self) -> (u32, u32) {
        let about = properties::about(&self.name).ok();
        let block = about.and_then(|about| ffi::query(&self.name, &about).ok());
        block.map_or((0, 0), |block| properties::lost(&block))
    }
}

/// Stops a session; what it lost in all, which nobody knows of one that was stopped already.
pub fn stop(name: &str) -> Stopped {
    let Ok(about) = properties::about(name) else { return Err(NO_SUCH_SESSION) };
    match ffi::stop(name, &about) {
        Ok(block) => Ok(properties::lost(&block)),
        Err(NO_SUCH_SESSION) => Ok((0, 0)),
        Err(code) => Err(code),
    }
}

/// Hands deliveries over to the collector's thread.
struct ToChannel {
    lane: Lane,
    batch: Batch,
    to: SyncSender<(Lane, Batch)>,
    lost: Arc<AtomicU64>,
}

impl ToChannel {
    fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            // Once the collector is gone nobody wants them.
            let _ = self.to.send((self.lane, std::mem::take(&mut self.batch)));
        }
    }
}

impl Feed for ToChannel {
    fn record(&mut self, delivered: Delivered<'_>) {
        // The session describes itself; the log has a description of its own.
        if delivered.is_description() {
            return;
        }
        let (time, processor) = (delivered.time(), delivered.processor);
        if !self.batch.put(time, processor, |out| delivered.write(out)) {
            self.lost();
        }
        if self.batch.len() >= BATCH {
            self.hand_over();
        }
    }

    fn buffer(&mut self) {
        self.hand_over();
    }

    fn lost(&mut self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}
