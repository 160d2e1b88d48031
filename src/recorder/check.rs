//! How well recordings are replayed here: every one against the lab's own client, chunk by chunk.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use serde::Serialize;

use crate::cassette::{Cassette, Recording};
use crate::client::{Auth, Failure, Passage, Pool, Road, Target, TargetError, Timeouts};
use crate::mock::{Mock, MockConfig, MockError, Replay};
use crate::seed::DRAW_HEADER;
use crate::stats::quantile;

/// How far replayed chunks were from their recorded offsets, early or late, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Deviation {
    /// Half of the chunks were at most this far.
    pub p50_ns: f64,
    /// 99 of 100 chunks were at most this far.
    pub p99_ns: f64,
    /// The farthest.
    pub max_ns: f64,
    /// The farthest first token; absent if nothing was streamed.
    pub ttft_ns: Option<f64>,
}

/// Recordings replayed several times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fidelity {
    /// The cassette, and from what it was recorded.
    pub cassette: String,
    /// Recordings replayed in each run.
    pub recordings: usize,
    /// Chunks compared in each run.
    pub chunks: usize,
    /// The factor on every recorded time.
    pub slowdown: f64,
    /// Each run.
    pub runs: Vec<Deviation>,
}

/// Why recordings could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The mock cannot start.
    #[error(transparent)]
    Mock(#[from] MockError),
    /// The mock's own address is no target.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A recording got no answer.
    #[error("recording {number} was not replayed: {failure}")]
    Failed {
        /// Its number, from 1.
        number: usize,
        /// Why.
        failure: Failure,
    },
    /// Another answer came than was recorded.
    #[error("recording {number} was replayed with status {status} and {bytes} bytes, not as it was recorded")]
    Differs {
        /// Its number, from 1.
        number: usize,
        /// The status that came.
        status: u16,
        /// The bytes that came.
        bytes: usize,
    },
}

impl Fidelity {
    /// The largest p99 that is acceptable: no figure of an application is finer.
    pub const MOST_P99_NS: f64 = 2e6;
    /// The farthest that a first token may be.
    pub const MOST_TTFT_NS: f64 = 5e6;

    /// The median of the runs in one figure; absent where any lacks it.
    pub fn median(&self, figure: impl Fn(&Deviation) -> Option<f64>) -> Option<f64> {
        let mut values = self.runs.iter().map(figure).collect::<Option<Vec<_>>>()?;
        values.sort_by(f64::total_cmp);
        quantile(&values, 0.5)
    }

    /// Whether the recordings are replayed well enough here.
    pub fn is_acceptable(&self) -> bool {
        let within = |value: Option<f64>, most: f64| value.is_none_or(|value| value <= most);
        within(self.median(|run| Some(run.p99_ns)), Self::MOST_P99_NS)
            && within(self.median(|run| run.ttft_ns), Self::MOST_TTFT_NS)
    }
}

/// Replays every recording `runs` times, one after another, at `slowdown` times its recorded times.
///
/// # Errors
/// When the mock cannot be had, or a recording does not come back as it was recorded.
pub async fn check(cassette: Arc<Cassette>, slowdown: f64, runs: u32) -> Result<Fidelity, CheckError> {
    let replay = Replay { cassette: Arc::clone(&cassette), next: false };
    let mock = Mock::start(MockConfig { slowdown, replay: Some(replay), ..MockConfig::default() })?;
    let mut fidelity = Fidelity {
        cassette: cassette.label(),
        recordings: cassette.recordings().len(),
        chunks: cassette.recordings().iter().map(|recording| recording.response.chunks.len()).sum(),
        slowdown,
        runs: Vec::new(),
    };
    for _ in 0..runs {
        fidelity.runs.push(once(&cassette, &mock, slowdown).await?);
    }
    Ok(fidelity)
}

async fn once(cassette: &Cassette, mock: &Mock, slowdown: f64) -> Result<Deviation, CheckError> {
    let (mut all, mut first): (Vec<f64>, Option<f64>) = (Vec::new(), None);
    for (number, recording) in (1..).zip(cassette.recordings()) {
        let target = Target::new("mock", recording.request.dialect, &mock.url(), "", &Auth::None)?;
        let pool = Pool::new(target.origin().clone(), Road::default(), Timeouts::default().connect);
        let came = play(&Arc::new(pool), &target, recording, number).await?;
        let recorded = recording.response.chunks.iter().map(|chunk| chunk.at_ns as f64 * slowdown);
        let apart: Vec<f64> = recorded.zip(&came).map(|(recorded, came)| (came - recorded).abs()).collect();
        if let Some(at) = recording.ttft_ns() {
            let token = recording.response.chunks.iter().position(|chunk| chunk.at_ns == at);
            first =
                token.and_then(|chunk| apart.get(chunk)).copied().into_iter().chain(first).reduce(f64::max);
        }
        all.extend(apart);
    }
    all.sort_by(f64::total_cmp);
    let at = |share| quantile(&all, share).unwrap_or_default();
    Ok(Deviation { p50_ns: at(0.5), p99_ns: at(0.99), max_ns: at(1.0), ttft_ns: first })
}

/// When the last byte of each recorded chunk came, in nanoseconds.
async fn play(
    pool: &Arc<Pool>,
    target: &Target,
    recording: &Recording,
    number: usize,
) -> Result<Vec<f64>, CheckError> {
    let opened = Passage::open(pool, &request(target, recording)).await;
    let mut passage = opened.map_err(|failure| CheckError::Failed { number, failure })?;
    // What was recorded as cut ends with an error.
    while let Some(Ok(_)) = passage.next().await {}
    let chunks = passage.finish().map(|passed| passed.chunks).unwrap_or_default();
    let joined = |chunks: &mut dyn Iterator<Item = &Bytes>| chunks.flatten().copied().collect::<Vec<u8>>();
    let came = joined(&mut chunks.iter().map(|(_, bytes)| bytes));
    let recorded = &recording.response;
    if came != joined(&mut recorded.chunks.iter().map(|chunk| &chunk.bytes))
        || passage.status().as_u16() != recorded.status
    {
        let status = passage.status().as_u16();
        return Err(CheckError::Differs { number, status, bytes: came.len() });
    }
    Ok(arrivals(recording, &chunks))
}

fn arrivals(recording: &Recording, chunks: &[(Duration, Bytes)]) -> Vec<f64> {
    let mut reached = 0;
    let mut reads = chunks.iter().map(|(at, bytes)| {
        reached += bytes.len();
        (reached, at.as_nanos() as f64)
    });
    let (mut wanted, mut read) = (0, (0, 0.0));
    let arrival = |chunk: &crate::cassette::Chunk| {
        wanted += chunk.bytes.len();
        while read.0 < wanted {
            read = reads.next()?;
        }
        Some(read.1)
    };
    recording.response.chunks.iter().map_while(arrival).collect()
}

/// The request as it was recorded.
fn request(target: &Target, recording: &Recording) -> Request<Bytes> {
    let body = match &recording.request.body {
        serde_json::Value::String(text) => text.clone(),
        body => body.to_string(),
    };
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = target.path().parse().unwrap_or_default();
    let draw = recording.recorded.draw.as_ref().map(|draw| (DRAW_HEADER.to_owned(), draw.to_string()));
    let host = ("host".to_owned(), target.origin().authority());
    for (name, value) in recording.request.headers.clone().into_iter().chain(draw).chain([host]) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            request.headers_mut().insert(name, value);
        }
    }
    request
}
