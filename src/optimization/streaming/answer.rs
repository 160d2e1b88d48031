//! The answer as a whole against the answer as it comes.

use std::borrow::Cow;
use std::sync::Arc;

use crate::experiment::{self, Arm, ArmSummary, Group, Known, Needs, Predict, Prediction, RunError, asking};
use crate::metric::Metric;
use crate::scenario::{self, tokens};
use crate::session::{Demand, Session};
use crate::wire::{Ask, Block, Message};

/// Answer lengths of the sweep, in tokens.
pub const ANSWER_TOKENS: [u32; 5] = [50, 100, 250, 500, 1_000];

/// Off (the control) against on, for answers of up to these many tokens.
pub fn length(answer_tokens: &[u32]) -> Group {
    of(scenario::streaming().question(0), answer_tokens)
}

/// The same for a prompt of one's own.
pub fn of(prompt: &str, answer_tokens: &[u32]) -> Group {
    let prompt: Arc<str> = prompt.into();
    Group {
        remarks: Some(Arc::new(|known| claim_holds(known).into_iter().collect())),
        name: "streaming".into(),
        question: "How much sooner does a reader see something when the answer is streamed?".into(),
        x_label: Some("answer tokens".into()),
        control: "off".into(),
        arms: answer_tokens
            .iter()
            .flat_map(|&tokens| [arm(&prompt, tokens, false), arm(&prompt, tokens, true)])
            .collect(),
        metrics: vec![Metric::PERCEIVED, Metric::TOTAL, Metric::TPOT],
        predict: Some(predict()),
        ..Group::default()
    }
}

/// The same answer whole and streamed, over the same rounds.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamingComparison {
    /// Read as it comes.
    pub streaming: ArmSummary,
    /// Waited for.
    pub non_streaming: ArmSummary,
}

/// Compares an answer of up to `answer_tokens` to `prompt`, streamed and whole, over `runs` rounds and one to
/// warm up.
///
/// # Errors
/// When an arm fails for good, or the target cannot stream.
///
/// ```
/// # use std::sync::Arc;
/// use llmlab::optimization::streaming;
/// use llmlab::session::Session;
/// use llmlab::settings::Settings;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let session = Arc::new(Session::start(Settings::simulated()).await?);
/// let results = streaming::compare(&session, "Explain quantum computing", 50, 10).await?;
/// let (first, whole) =
///     (&results.streaming.metrics["ttft"].summary, &results.non_streaming.metrics["total"].summary);
/// println!("content after {:.0} ms instead of {:.0} ms (n = {})", first.p50 / 1e6, whole.p50 / 1e6, first.n);
/// assert!(first.p50 < whole.p50);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn compare(
    session: &Arc<Session>,
    prompt: &str,
    answer_tokens: u32,
    runs: u32,
) -> Result<StreamingComparison, RunError> {
    let summary = experiment::compare(session, of(prompt, &[answer_tokens]), runs).await?;
    let mut arms = summary.arms.into_iter();
    let mut arm = |name: &str| {
        arms.find(|arm| arm.name == name)
            .ok_or_else(|| RunError::Workload(format!("the target cannot run the arm `{name}`")))
    };
    Ok(StreamingComparison { non_streaming: arm("off")?, streaming: arm("on")? })
}

/// How long answers take to begin, by the difficulty of the question: streamed answers of one length.
pub fn complexity() -> Group {
    let questions = &scenario::streaming().questions[1..];
    let arms = COMPLEXITY.into_iter().zip(questions).map(|(name, question)| {
        let arm = arm(&question.as_str().into(), COMPLEXITY_TOKENS, true);
        Arm { name: name.into(), x: None, ..arm }
    });
    Group {
        name: "streaming/complexity".into(),
        question: "Does a harder question take longer to begin?".into(),
        control: COMPLEXITY[0].into(),
        arms: arms.collect(),
        metrics: vec![Metric::TTFT, Metric::TPOT],
        ..Group::default()
    }
}

const COMPLEXITY: [&str; 3] = ["simple", "medium", "complex"];
const COMPLEXITY_TOKENS: u32 = 100;

/// The published reduction of perceived latency by streaming.
const CLAIM: (f64, f64) = (0.6, 0.8);

/// For which answers the published claim holds: `gain = (N - 1)·τ / (TTFT + (N - 1)·τ)`, solved for N.
fn claim_holds(known: &Known<'_>) -> Option<String> {
    let (engine, _) = known.engine?;
    let first_token = engine.overhead.as_secs_f64();
    let length = |gain: f64| 1.0 + gain / (1.0 - gain) * first_token / engine.decode.as_secs_f64();
    Some(format!(
        "The published 60 to 80% less perceived latency holds for answers of about {:.0} to {:.0} tokens on this engine; \
         longer ones gain more.",
        length(CLAIM.0),
        length(CLAIM.1)
    ))
}

fn arm(prompt: &Arc<str>, answer_tokens: u32, stream: bool) -> Arm {
    let system = &scenario::streaming().system;
    let input_tokens = tokens(system) + tokens(prompt);
    let ask = Ask {
        system: vec![Block::text(system.as_str())],
        messages: vec![Message::user(Arc::clone(prompt))],
        max_tokens: Some(answer_tokens),
        stream,
        include_usage: true,
        ..Ask::default()
    };
    let demand = Demand::uncached(input_tokens, answer_tokens.into());
    let context_tokens = input_tokens + u64::from(answer_tokens);
    let arm = Arm::new(if stream { "on" } else { "off" }, asking(move |_| ask.clone(), move |_| demand));
    Arm {
        needs: Needs { streaming: stream, context_tokens, ..Needs::default() },
        without: if stream { vec![] } else { vec![Metric::TPOT] },
        ..arm.at(answer_tokens.into())
    }
}

fn predict() -> Predict {
    Arc::new(|known, arm, metric| {
        let (engine, slowdown) = known.engine?;
        let per_token = engine.decode.as_nanos() as f64 * slowdown;
        let saving = match metric {
            metric if *metric == Metric::PERCEIVED => per_token * (arm.x? - 1.0),
            metric if *metric == Metric::TOTAL => 0.0,
            _ => return None,
        };
        let source =
            format!("engine {}: {:.2} ms for each token after the first", engine.name, per_token / 1e6);
        Some(Prediction { saving, source: Cow::Owned(source) })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::catalog::Profile;
    use crate::wire::Dialect;

    #[test]
    fn the_published_claim_holds_for_answers_of_63_to_167_tokens_at_published_speed() {
        // Given 0.8 s to the first token and 52 tokens a second
        let engine = Profile {
            overhead: Duration::from_millis(800),
            decode: Duration::from_secs_f64(1.0 / 52.0),
            ..Profile::default()
        };
        let known = Known {
            engine: Some((&engine, 1.0)),
            capacity: None,
            small: None,
            scale: 1.0,
            model: None,
            dialect: Dialect::Anthropic,
        };
        // Then the window is the one that the formula gives by hand
        let text = claim_holds(&known).unwrap();
        assert!(text.contains("63 to 167 tokens"), "{text}");
    }
}
