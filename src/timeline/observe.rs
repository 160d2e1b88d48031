//! Timing a stream of one's own.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::Stream;

use super::timing::milliseconds;
use super::{Timer, TimingResult};

/// Times a streamed answer: from its start to each chunk and to its end.
///
/// This is how an application that streams with reqwest and eventsource-stream times its own code. Start the
/// timer just before the request is sent and let it [observe](Self::observe) the decoded events:
///
/// ```
/// use eventsource_stream::Eventsource;
/// use futures::{StreamExt, stream};
/// use llmlab::timeline::StreamingTimer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut timer = StreamingTimer::start("answer");
/// // In an application: `client.post(url).json(&ask).send().await?.bytes_stream()`.
/// let reads = ["data: Hel\n\nda", "ta: lo\n\n", "data: [DONE]\n\n"];
/// let bytes = stream::iter(reads.map(Ok::<_, std::io::Error>));
///
/// let is_content = |event: &Result<eventsource_stream::Event, _>| {
///     event.as_ref().is_ok_and(|event| event.data != "[DONE]")
/// };
/// let mut text = String::new();
/// let mut events = timer.observe_content(bytes.eventsource(), is_content);
/// while let Some(event) = events.next().await {
///     match event {
///         Ok(event) if event.data != "[DONE]" => text.push_str(&event.data),
///         Ok(_) => {}
///         Err(error) => panic!("the stream broke off: {error}"),
///     }
/// }
///
/// assert_eq!(text, "Hello");
/// assert_eq!(timer.chunks(), 2);
/// let result = timer.result();
/// assert!(result.ttft_ms.is_some_and(|ttft| ttft <= result.total_latency_ms));
/// # }
/// ```
///
/// The stamps are those of the application: later than the read by what its client and decoder take, and
/// nearly equal for the events of one read. The lab's own client stamps the reads themselves.
#[derive(Debug, Clone)]
pub struct StreamingTimer {
    timer: Timer,
    chunks: Vec<Instant>,
    tokens: Option<u64>,
}

impl StreamingTimer {
    /// A running timer without a chunk.
    pub fn start(name: impl Into<String>) -> Self {
        Self::over(Timer::start(name))
    }

    /// Notes that a chunk came. Chunks after [`stop`](Self::stop) are not counted.
    pub fn record_chunk(&mut self) {
        self.record_at(Instant::now(), None);
    }

    /// Notes that a chunk of `tokens` tokens came.
    pub fn record_chunk_tokens(&mut self, tokens: u64) {
        self.record_at(Instant::now(), Some(tokens));
    }

    /// Stops the timer and says how long it ran. Only the first stop counts.
    pub fn stop(&mut self) -> Duration {
        self.timer.stop()
    }

    /// How long it ran, or has run so far.
    pub fn elapsed(&self) -> Duration {
        self.timer.elapsed()
    }

    /// [`elapsed`](Self::elapsed) in milliseconds.
    pub fn elapsed_ms(&self) -> f64 {
        self.timer.elapsed_ms()
    }

    /// From the start to the first chunk, in milliseconds. Absent when no chunk came.
    pub fn ttft_ms(&self) -> Option<f64> {
        self.chunks.first().map(|&at| milliseconds(self.timer.until(at)))
    }

    /// How many chunks came.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The times from one chunk to the next.
    pub fn gaps(&self) -> Vec<Duration> {
        self.chunks.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0])).collect()
    }

    /// The tokens of all chunks recorded with [`record_chunk_tokens`](Self::record_chunk_tokens); absent when
    /// there was none, since a chunk is not a token.
    pub fn tokens(&self) -> Option<u64> {
        self.tokens
    }

    /// Latency, time to first chunk and tokens as a result; add the server's counts with
    /// [`TimingResult::with_usage`].
    pub fn result(&self) -> TimingResult {
        let result = TimingResult { ttft_ms: self.ttft_ms(), ..self.timer.result() };
        result.with_output_tokens(self.tokens)
    }

    /// Passes `stream` on, notes each item as a chunk and stops the timer at its end.
    ///
    /// Every item counts, pings and errors too. Where the first token matters, use
    /// [`observe_content`](Self::observe_content).
    pub fn observe<S: Stream>(&mut self, stream: S) -> Observed<'_, S> {
        self.observe_content(stream, (|_| true) as fn(&S::Item) -> bool)
    }

    /// As [`observe`](Self::observe), but only items for which `is_content` holds are chunks: an event that
    /// merely opens the answer, keeps it alive or ends it is not the first token.
    pub fn observe_content<S, F>(&mut self, stream: S, is_content: F) -> Observed<'_, S, F>
    where
        S: Stream,
        F: FnMut(&S::Item) -> bool,
    {
        Observed { stream: Box::pin(stream), timer: self, is_content }
    }

    fn over(timer: Timer) -> Self {
        Self { timer, chunks: Vec::new(), tokens: None }
    }

    fn record_at(&mut self, at: Instant, tokens: Option<u64>) {
        if !self.timer.is_running() {
            return;
        }
        self.chunks.push(at);
        if let Some(tokens) = tokens {
            self.tokens = Some(self.tokens.unwrap_or(0).saturating_add(tokens));
        }
    }
}

/// A stream whose items are noted by a [`StreamingTimer`].
pub struct Observed<'a, S: Stream, F = fn(&<S as Stream>::Item) -> bool> {
    stream: Pin<Box<S>>,
    timer: &'a mut StreamingTimer,
    is_content: F,
}

impl<S: Stream, F: FnMut(&S::Item) -> bool + Unpin> Stream for Observed<'_, S, F> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.get_mut();
        let polled = this.stream.as_mut().poll_next(context);
        let now = Instant::now();
        match &polled {
            Poll::Ready(Some(item)) if (this.is_content)(item) => this.timer.record_at(now, None),
            Poll::Ready(None) => {
                this.timer.timer.stop_at(now);
            }
            _ => {}
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S: Stream, F> fmt::Debug for Observed<'_, S, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Observed").field("timer", &self.timer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt, stream};

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn without_a_chunk_there_is_no_time_to_first_token() {
        let mut timer = StreamingTimer::start("answer");
        timer.stop();
        assert_eq!(timer.ttft_ms(), None);
        assert_eq!(serde_json::to_value(timer.result()).unwrap()["ttft_ms"], serde_json::Value::Null);
    }

    #[test]
    fn chunks_are_timed_from_the_start_and_their_tokens_add_up() {
        let start = Instant::now();
        let mut timer = StreamingTimer::over(Timer::start_at("answer", start));
        timer.record_at(start + ms(200), Some(3));
        timer.record_at(start + ms(250), None);
        timer.record_at(start + ms(400), Some(5));
        timer.timer.stop_at(start + ms(500));
        timer.record_at(start + ms(600), Some(7));
        assert_eq!(timer.ttft_ms(), Some(200.0));
        assert_eq!(timer.gaps(), [ms(50), ms(150)]);
        assert_eq!((timer.chunks(), timer.tokens()), (3, Some(8)));
        assert_eq!(timer.result().tokens_per_second, Some(16.0));
    }

    #[test]
    fn a_chunk_is_not_a_token() {
        let mut timer = StreamingTimer::start("answer");
        timer.record_chunk();
        assert_eq!(timer.tokens(), None);
        assert_eq!(timer.result().output_tokens, None);
    }

    #[tokio::test]
    async fn the_end_of_an_observed_stream_stops_the_timer() {
        let mut timer = StreamingTimer::start("answer");
        let items: Vec<u8> = timer.observe(stream::iter([1, 2, 3])).collect().await;
        assert_eq!(items, [1, 2, 3]);
        assert_eq!(timer.chunks(), 3);
        assert_eq!(timer.elapsed(), timer.elapsed(), "the timer stands still");
    }

    #[tokio::test]
    async fn what_is_not_content_is_passed_on_but_is_no_chunk() {
        let mut timer = StreamingTimer::start("answer");
        let stream = stream::iter(["ping", "Hello", "[DONE]"]);
        let items: Vec<&str> = timer.observe_content(stream, |&item| item == "Hello").collect().await;
        assert_eq!(items.len(), 3);
        assert_eq!(timer.chunks(), 1);
    }
}
