//! Dynamic batching: requests wait for each other, but not for long.

use std::time::Duration;

/// Collects requests into batches. It is told the time and reads no clock.
#[derive(Debug)]
pub struct Batcher<T> {
    size: usize,
    window: Duration,
    waiting: Vec<T>,
    number: u64,
}

/// What a request finds when it joins.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined<T> {
    /// It filled the batch, which starts now.
    Full(Vec<T>),
    /// It opened a batch, which is to be [closed](Batcher::close) at `due` unless it is full before.
    Opened {
        /// The batch's number.
        number: u64,
        /// When its window ends.
        due: Duration,
    },
    /// It waits in a batch that another opened.
    Waiting,
}

impl<T> Batcher<T> {
    /// Batches of at most `size` requests whose first waits at most `window`.
    pub fn new(size: usize, window: Duration) -> Self {
        Self { size, window, waiting: Vec::new(), number: 0 }
    }

    /// A request arrives at time `now`.
    pub fn join(&mut self, request: T, now: Duration) -> Joined<T> {
        self.waiting.push(request);
        if self.waiting.len() >= self.size || self.window.is_zero() {
            return Joined::Full(self.take());
        }
        if self.waiting.len() == 1 {
            return Joined::Opened { number: self.number, due: now + self.window };
        }
        Joined::Waiting
    }

    /// The window of a batch has ended: the batch, unless it started before.
    pub fn close(&mut self, number: u64) -> Option<Vec<T>> {
        (self.number == number && !self.waiting.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> Vec<T> {
        self.number += 1;
        std::mem::take(&mut self.waiting)
    }
}
