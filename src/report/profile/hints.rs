//! What a person should look at next.

use crate::client::ErrorClass;
use crate::profile::{LatencyFound, Measurement};
use crate::provenance::Provenance;
use crate::timeline::TokenSource;

/// A coefficient of variation above this hides what one looks for.
const NOISY: f64 = 0.2;
/// A time to first token that is more than this share of the latency.
const SLOW_START: f64 = 0.6;

/// What the requests of any profile say.
pub(super) fn of_requests<'a>(
    measurements: impl Iterator<Item = &'a Measurement> + Clone,
    provenance: &Provenance,
) -> Vec<String> {
    let count = |holds: &dyn Fn(&Measurement) -> bool| measurements.clone().filter(|m| holds(m)).count();
    let (connect, timeout) =
        (count(&|m| m.failed_by(ErrorClass::Connect)), count(&|m| m.failed_by(ErrorClass::Timeout)));
    let cached = count(&|m| m.success && m.cached_tokens.is_some_and(|tokens| tokens > 0));
    let refused = count(&|m| m.error.as_deref().is_some_and(|error| error.starts_with("HTTP 401")));
    let answered = count(&|m| m.cached_answer == Some(true));
    let uncounted = count(&|m| m.token_source == Some(TokenSource::Events));
    let all = count(&|m| m.success);
    let hints = [
        (connect > 0).then(|| {
            format!("{connect} requests could not connect: check the address and the server, curl {}/health.", provenance.base_url)
        }),
        (refused > 0).then(|| {
            "The server wants a key: set LITELLM_API_KEY, or name a target with its key in llmlab.toml.".into()
        }),
        (timeout > 0).then(|| {
            format!("{timeout} requests took too long: ask fewer at once or for less (--max-tokens), or wait longer (--timeout).")
        }),
        (cached > 0).then(|| {
            format!("The server read the prompt from its cache in {cached} of {all} answers: --no-cache makes every prompt new.")
        }),
        (answered > 0).then(|| {
            format!("A cache of answers gave {answered} of {all}: their times are the cache's. --no-cache makes every prompt new.")
        }),
        (uncounted > 0).then(|| {
            format!("The server did not count the tokens of {uncounted} of {all} answers: their pieces are counted, which may hold several.")
        }),
    ];
    hints.into_iter().flatten().collect()
}

/// What a latency profile says.
pub(super) fn of_latency(found: &LatencyFound, provenance: &Provenance) -> Vec<String> {
    let swept = found.token_sweep.is_some();
    let cv = found.total_ms.as_ref().and_then(|total| total.cv).filter(|cv| *cv > NOISY && !swept);
    let share = found.ttft_share.filter(|share| *share > SLOW_START);
    let noisy = cv.map(|cv| {
        format!("The latency varies much (CV {:.0}%): more --warmup and --iterations, and a look at what else runs on the server.", cv * 100.0)
    });
    let slow_start = share.map(|share| {
        format!("The first token takes {:.0}% of the latency: processing the prompt or loading the model dominates, not generation.", share * 100.0)
    });
    noisy.into_iter().chain(slow_start).chain(of_requests(found.measurements.iter(), provenance)).collect()
}
