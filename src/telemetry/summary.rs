//! What became of a run's spans.

use std::fmt;

/// What became of the spans of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Where they went.
    pub sent: Vec<Sent>,
    /// Spans that were never made, or thrown away: they came faster than they could be handed on.
    pub dropped: u64,
}

/// What one destination took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent {
    /// The destination.
    pub to: String,
    /// Spans that it took.
    pub exported: u64,
    /// Spans that it did not take.
    pub failed: u64,
    /// Why the first of those was not taken.
    pub reason: Option<String>,
}

impl fmt::Display for Sent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} spans exported to {}", self.exported, self.to)?;
        if self.failed > 0 {
            write!(formatter, ", {} failed", self.failed)?;
        }
        self.reason.iter().try_for_each(|reason| write!(formatter, " ({reason})"))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent: Vec<_> = self.sent.iter().map(ToString::to_string).collect();
        write!(formatter, "traces: {}", sent.join("; "))?;
        if self.dropped > 0 {
            write!(
                formatter,
                "; {} dropped, for they came faster than they could be handed on",
                self.dropped
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_said_and_nothing_else() {
        let well = Sent { to: "otlp".into(), exported: 3, ..Sent::default() };
        let ill =
            Sent { to: "langfuse".into(), failed: 3, reason: Some("refused".into()), ..Sent::default() };
        let summary = |sent, dropped| Summary { sent, dropped }.to_string();
        assert_eq!(summary(vec![well.clone()], 0), "traces: 3 spans exported to otlp");
        assert_eq!(
            summary(vec![well, ill], 2),
            "traces: 3 spans exported to otlp; 0 spans exported to langfuse, 3 failed (refused); 2 dropped, for they \
             came faster than they could be handed on"
        );
    }
}
