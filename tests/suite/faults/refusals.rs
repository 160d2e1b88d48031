//! Refusals: every status, with and without a time to wait, and redirects.

use std::time::Duration;

use llmlab::client::ErrorClass;
use llmlab::wire::Dialect;

use super::{next, within};
use crate::support::{RawServer, Step, client, failure, openai_answer, plain};

/// What servers write into `retry-after`, and the time that is meant, if one is.
const RETRY_AFTER: [(Option<&str>, Option<f64>); 11] = [
    (None, None),
    (Some("7"), Some(7.0)),
    (Some("0"), Some(0.0)),
    (Some(" 0.25 "), Some(0.25)),
    // A date says when, by the server's clock, which is not this machine's.
    (Some("Wed, 21 Oct 2026 07:28:00 GMT"), None),
    (Some(""), None),
    (Some("soon"), None),
    (Some("-1"), None),
    (Some("NaN"), None),
    (Some("inf"), None),
    (Some("1e300"), None),
];

fn class(status: u16) -> ErrorClass {
    match status {
        429 => ErrorClass::RateLimited,
        529 => ErrorClass::Overloaded,
        400..500 => ErrorClass::Http4xx,
        500..600 => ErrorClass::Http5xx,
        _ => ErrorClass::HttpOther,
    }
}

#[test]
fn every_refusal_is_of_its_class_and_carries_the_time_to_wait() {
    within(async {
        let statuses = (400..=451).chain(500..=511).chain([499, 520, 522, 524, 529, 530, 599]);
        // Given a server that refuses in every way, on one connection
        let cases: Vec<_> =
            statuses.flat_map(|status| RETRY_AFTER.map(|(header, wait)| (status, header, wait))).collect();
        let refusals = cases.clone();
        let server = RawServer::start(move |request| {
            let Some((status, header, _)) = refusals.get(request.number) else { return openai_answer() };
            let header = header.map(|value| format!("retry-after: {value}\r\n")).unwrap_or_default();
            vec![Step::Write(plain(*status, &header, "no"))]
        });
        let client = client(Dialect::OpenAi, &server.url());
        for (status, header, wait) in cases {
            // When it is asked
            let failure = failure(&client).await;
            // Then the failure is of the status's class, and the time is what a number says
            assert_eq!(failure.class, class(status), "{status}: {failure}");
            assert_eq!(failure.retry_after.map(|wait| wait.as_secs_f64()), wait, "{status}, {header:?}");
            assert!(failure.message.contains(&status.to_string()), "{failure}");
        }
        // And the connection has outlived them all
        assert_eq!(next(&client).await, "Hello");
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn no_redirect_is_followed() {
    within(async {
        for status in [300, 301, 302, 303, 307, 308] {
            // Given a server that points to another
            let other = RawServer::start(|_| openai_answer());
            let url = other.url();
            let server = RawServer::once(move || {
                vec![Step::Write(plain(status, &format!("location: {url}/v1/chat/completions\r\n"), ""))]
            });
            let client = client(Dialect::OpenAi, &server.url());
            // When it is asked, then the status is the failure, and nobody goes there
            let failure = failure(&client).await;
            assert_eq!((failure.class, failure.retry_after), (ErrorClass::HttpOther, None), "{failure}");
            assert_eq!(next(&client).await, "Hello");
            assert_eq!((other.connections(), server.connections()), (0, 1), "{status}");
        }
    });
}

#[test]
fn a_refusal_that_trickles_is_its_status_all_the_same() {
    within(async {
        // Given a server that refuses, and has much to say, slowly
        let server = RawServer::once(|| {
            let head = "HTTP/1.1 503 x\r\nretry-after: 2\r\n\r\nOverloaded. ";
            vec![Step::Write(head.into()), Step::Drip("Sorry. ")]
        });
        let timeouts = super::Bound::Total.timeouts();
        let client = crate::support::client_within(Dialect::OpenAi, &server.url(), timeouts);
        // When it is asked, then what it stated at first is known
        let failure = failure(&client).await;
        assert_eq!(failure.class, ErrorClass::Http5xx, "{failure}");
        assert_eq!(failure.retry_after, Some(Duration::from_secs(2)));
        assert_eq!(next(&client).await, "Hello");
    });
}
