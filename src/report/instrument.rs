//! What a result says of the instrument that measured it, on the console.

use crate::instrument::{Certificate, Spread, TruthCheck};

/// The certificate in a line, and a line for each reason for which it is invalid.
pub fn lines(certificate: &Certificate) -> Vec<String> {
    let known = [
        Some(certificate.truth.as_ref().map_or_else(|| unchecked(certificate), truth)),
        certificate.send_lag.as_ref().map(|lag| format!("send lag {} (n = {})", p99(lag), lag.n)),
        (certificate.late_answers > 0)
            .then(|| format!("{} answers looked at late", certificate.late_answers)),
        certificate.cpu_share.map(|share| format!("CPU {:.0}%", share * 100.0)),
        certificate.peak_memory_bytes.map(|bytes| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))),
        Some(if certificate.valid { "valid".into() } else { "INVALID".into() }),
    ];
    let line = format!("Instrument: {}", known.into_iter().flatten().collect::<Vec<_>>().join("; "));
    [line].into_iter().chain(invalid(certificate)).collect()
}

/// A line for each reason for which a result is invalid.
pub fn invalid(certificate: &Certificate) -> Vec<String> {
    certificate.reasons.iter().map(|reason| format!("INVALID: {reason}")).collect()
}

fn truth(truth: &TruthCheck) -> String {
    let ttft = &truth.client.ttft;
    format!("TTFT error p50 {:.2} ms, {} (n = {}, truth server)", ttft.p50_ms, p99(ttft), ttft.n)
}

fn unchecked(certificate: &Certificate) -> String {
    let why = certificate.truth_not_checked.as_deref().unwrap_or("nobody asked");
    format!("error not checked ({why})")
}

fn p99(spread: &Spread) -> String {
    format!("p99 {:.2} ms", spread.p99_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::{Conduct, TruthErrors};

    #[test]
    fn a_certificate_is_one_line_and_its_faults_are_lines_of_their_own() {
        let spread = |p50_ms, p99_ms| Spread { n: 32, p50_ms, p99_ms, max_ms: p99_ms };
        let of = |ttft| TruthErrors { ttft, gap: spread(0.0, 0.1) };
        let truth =
            |client| TruthCheck { client: of(client), raw: of(spread(0.1, 0.2)), timer: spread(0.0, 0.1) };
        let conduct = Conduct {
            send_lag: Some(spread(0.0, 0.1)),
            cpu_share: Some(0.07),
            peak_memory_bytes: Some(31 << 20),
            ..Conduct::default()
        };
        let valid = Certificate::new(Ok(truth(spread(0.08, 0.3))), conduct.clone());
        assert_eq!(
            lines(&valid),
            [
                "Instrument: TTFT error p50 0.08 ms, p99 0.30 ms (n = 32, truth server); send lag p99 0.10 ms (n = 32); CPU 7%; 31 MiB; valid"
            ]
        );
        let invalid = Certificate::new(Ok(truth(spread(1.5, 3.0))), conduct);
        let lines = lines(&invalid);
        assert!(lines.len() == 2 && lines[0].ends_with("INVALID") && lines[1].starts_with("INVALID: TTFT"));
        let unchecked = Certificate::new(Err("LLMLAB_SELFTEST=off".into()), Conduct::default());
        assert_eq!(super::lines(&unchecked), ["Instrument: error not checked (LLMLAB_SELFTEST=off); valid"]);
    }
}
