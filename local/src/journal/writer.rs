//! The thread that writes: a terminal that somebody has stopped, or a slow pipe, must not stop the server.

use std::{
    io::{Write as _, stderr, stdout},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel},
    },
    time::Duration,
};

use super::Output;

/// How many lines may wait; what comes beyond is left out, and counted.
const WAITING: usize = 10_000;

/// How long the end waits for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);

enum Order {
    Write(String),
    /// Answer when everything before is written.
    Flush(std::sync::mpsc::Sender<()>),
}

/// The way to the writing thread, which ends with the last clone.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    orders: SyncSender<Order>,
    left_out: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn new(output: Output) -> Self {
        let (orders, received) = sync_channel(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&left_out);
        std::thread::spawn(move || run(output, &received, &counted));
        Self { orders, left_out }
    }

    pub(super) fn write(&self, line: String) {
        if let Err(TrySendError::Full(_)) = self.orders.try_send(Order::Write(line)) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn flush(&self) {
        let (done, is_done) = channel();
        if self.orders.try_send(Order::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(PATIENCE);
        }
    }
}

fn run(output: Output, orders: &Receiver<Order>, left_out: &AtomicU64) {
    while let Ok(order) = orders.recv() {
        match order {
            Order::Write(line) => put(output, &line),
            Order::Flush(done) => drop(done.send(())),
        }
        let left_out = left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            tracing::warn!(left_out, "lines came faster than they could be written");
        }
    }
}

/// Nothing can be done for somebody who closed the terminal.
fn put(output: Output, line: &str) {
    let _ = match output {
        Output::Standard => {
            let mut output = stdout().lock();
            writeln!(output, "{line}").and_then(|()| output.flush())
        }
        Output::Error => writeln!(stderr().lock(), "{line}"),
    };
}
