//! The client over real sockets: every way in which an exchange fails, and that the next one does not.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use http::HeaderMap;
use llmlab::client::{Auth, Client, ErrorClass, Failure, Timeouts};
use llmlab::wire::{Ask, Dialect};
use serde_json::json;
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{
    LAST_CHUNK, RawServer, Step, chunk, client, client_within, failure, openai_answer, openai_end,
    openai_says, plain, question, send, stream_head, target, text,
};

const SHORT: Duration = Duration::from_millis(200);

/// Far above every bound of these tests, so that only a bound that is not kept fails them.
const SOON: Duration = Duration::from_secs(3);

fn patient() -> Timeouts {
    let long = Duration::from_secs(30);
    Timeouts { connect: long, first_byte: long, silence: long, total: long }
}

/// The failure of the first exchange with a server that follows `steps`, and that the second succeeds.
async fn first_fails(steps: impl Fn() -> Vec<Step> + Send + Sync + 'static) -> Failure {
    first_fails_within(patient(), steps).await
}

async fn first_fails_within(
    timeouts: Timeouts,
    steps: impl Fn() -> Vec<Step> + Send + Sync + 'static,
) -> Failure {
    let server = RawServer::once(steps);
    let client = client_within(Dialect::OpenAi, &server.url(), timeouts);
    let failure = failure(&client).await;
    assert_eq!(text(&client).await, "Hello", "the next request is not harmed");
    failure
}

/// The failure that a response with this status and body is.
async fn refused(status: u16, headers: &'static str, body: &'static str) -> Failure {
    first_fails(move || vec![Step::Write(plain(status, headers, body))]).await
}

/// The failure of a streamed response that consists of `body` and is then ended well.
async fn streamed(body: String) -> Failure {
    first_fails(move || vec![Step::Write(stream_head() + &chunk(&body) + LAST_CHUNK)]).await
}

fn a_port_where_nothing_listens() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_a_failed_connection() {
    // Given a port that was just closed
    let client = client(Dialect::OpenAi, &format!("http://127.0.0.1:{}", a_port_where_nothing_listens()));
    // When it is asked
    let exchange = send(&client).await;
    // Then the class says so, and nothing claims that a byte was written
    assert_eq!(exchange.outcome.unwrap_err().class, ErrorClass::Connect);
    assert_eq!((exchange.sent, exchange.connection, exchange.status), (None, None, None));
}

#[tokio::test]
async fn a_name_without_an_address_is_a_failed_connection_that_names_it() {
    // Given a name that no resolver may know (RFC 6761)
    let client = client(Dialect::OpenAi, "http://nonexistent.invalid");
    // When it is asked
    let failure = failure(&client).await;
    // Then
    assert_eq!(failure.class, ErrorClass::Connect);
    assert!(failure.message.contains("nonexistent.invalid"), "{failure}");
}

#[tokio::test]
async fn tls_with_a_server_of_plain_http_is_a_failed_handshake() {
    // Given a server that answers a handshake with HTTP
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        std::io::Read::read(&mut stream, &mut [0; 16])?;
        std::io::Write::write_all(&mut stream, plain(400, "", "").as_bytes())?;
        std::io::copy(&mut stream, &mut std::io::sink())
    });
    // When it is asked over TLS
    let client = client_within(Dialect::OpenAi, &format!("https://127.0.0.1:{port}"), patient());
    let exchange = send(&client).await;
    // Then
    assert_eq!(exchange.outcome.unwrap_err().class, ErrorClass::Tls);
    assert_eq!(exchange.sent, None, "a handshake is no request");
}

/// The message of a timeout that came within a bound of 200 ms and not much later.
async fn timed_out(timeouts: Timeouts, steps: impl Fn() -> Vec<Step> + Send + Sync + 'static) -> String {
    let start = Instant::now();
    let failure = first_fails_within(timeouts, steps).await;
    assert_eq!(failure.class, ErrorClass::Timeout, "{failure}");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    failure.message
}

#[tokio::test]
async fn a_connection_that_takes_too_long_is_a_timeout_of_its_phase() {
    // Given a server that accepts and never answers the handshake
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let start = Instant::now();
    // When it is asked over TLS
    let failure =
        failure(&client_within(Dialect::OpenAi, &url, Timeouts { connect: SHORT, ..patient() })).await;
    // Then
    assert_eq!(failure.class, ErrorClass::Timeout);
    assert!(failure.message.contains("connection") && failure.message.contains("200ms"), "{failure}");
    assert!(start.elapsed() < SOON);
}

#[tokio::test]
async fn a_response_that_does_not_begin_is_a_timeout_of_its_first_byte() {
    let bounds = Timeouts { first_byte: SHORT, ..patient() };
    let message = timed_out(bounds, || vec![Step::Silence, Step::Close]).await;
    assert!(message.contains("first byte") && message.contains("200ms"), "{message}");
}

#[tokio::test]
async fn headers_without_a_body_are_a_timeout_of_the_first_byte_too() {
    // Given a server that sends its headers at once, as most do long before the first token
    let head = || vec![Step::Write(stream_head()), Step::Silence, Step::Close];
    // When no token follows
    let message = timed_out(Timeouts { first_byte: SHORT, ..patient() }, head).await;
    // Then it is the first byte that is missed, not a silence after one
    assert!(message.contains("first byte"), "{message}");
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_a_timeout_of_silence() {
    let bounds = Timeouts { silence: SHORT, ..patient() };
    let steps = || vec![Step::Write(stream_head() + &chunk(&openai_says("Hel"))), Step::Silence, Step::Close];
    let message = timed_out(bounds, steps).await;
    assert!(message.contains("silence"), "{message}");
}

#[tokio::test]
async fn a_stream_that_trickles_past_the_total_is_a_timeout_of_the_whole() {
    // Given a server that never falls silent and never ends
    let steps = || {
        let drip = || [Step::Write(chunk(&openai_says("x"))), Step::Pause(Duration::from_millis(20))];
        [Step::Write(stream_head())].into_iter().chain((0..50).flat_map(|_| drip())).collect()
    };
    let server = RawServer::once(steps);
    let client = client_within(Dialect::OpenAi, &server.url(), Timeouts { total: SHORT, ..patient() });
    // When it is asked
    let start = Instant::now();
    let exchange = send(&client).await;
    // Then the bound is kept, and the exchange still knows that its request was written
    let failure = exchange.outcome.unwrap_err();
    assert_eq!(failure.class, ErrorClass::Timeout);
    assert!(failure.message.contains("whole exchange"), "{failure}");
    assert!(start.elapsed() < SOON);
    assert!(exchange.sent.is_some_and(|sent| sent >= start), "{:?}", exchange.sent);
}

#[tokio::test]
async fn a_connection_closed_before_the_response_is_a_disconnect() {
    let failure = first_fails(|| vec![Step::Close]).await;
    assert_eq!(failure.class, ErrorClass::Disconnect, "{failure}");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_own_words() {
    let openai = r#"{"error":{"message":"max_tokens is too large","type":"invalid_request_error","param":null,"code":null}}"#;
    let anthropic =
        r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#;
    let cases = [
        (400, openai, "invalid_request_error: max_tokens is too large"),
        (401, anthropic, "authentication_error: invalid x-api-key"),
        (404, "no such model here", "no such model here"),
        (413, "", "HTTP 413"),
    ];
    for (status, body, words) in cases {
        let failure = refused(status, "", body).await;
        assert_eq!(failure.class, ErrorClass::Http4xx, "{failure}");
        assert!(
            failure.message.contains(words) && failure.message.contains(&status.to_string()),
            "{failure}"
        );
        assert_eq!(failure.retry_after, None);
    }
}

#[tokio::test]
async fn a_key_that_the_server_repeats_is_not_shown() {
    // Given a server that repeats the key that it refuses
    let said = r#"{"error":{"message":"invalid key: sk-secret","type":"auth_error"}}"#;
    let server = RawServer::start(move |_| vec![Step::Write(plain(401, "", said))]);
    for auth in [Auth::Bearer("sk-secret".into()), Auth::ApiKey("sk-secret".into())] {
        // When it is asked
        let failure = failure(&Client::new(target(Dialect::OpenAi, &server.url(), &auth), patient())).await;
        // Then its words are kept and the key is not
        assert!(
            failure.message.contains("auth_error") && !failure.message.contains("sk-secret"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_refusal_without_end_is_not_read_to_its_end() {
    // Given an error page that never ends
    let page = "x".repeat(8_000);
    let steps = move || {
        let head = "HTTP/1.1 500 x\r\ntransfer-encoding: chunked\r\n\r\n";
        [Step::Write(head.into())]
            .into_iter()
            .chain((0..20).map(|_| Step::Write(chunk(&page))))
            .chain([Step::Silence])
            .collect()
    };
    let failure = first_fails(steps).await;
    // Then its status decides, long before any bound
    assert_eq!(failure.class, ErrorClass::Http5xx);
    assert!(failure.message.len() < 1_000);
}

#[tokio::test]
async fn too_many_requests_carry_the_time_to_wait() {
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
    for (headers, wait) in [
        ("retry-after: 7\r\n", Some(Duration::from_secs(7))),
        ("retry-after: 0.5\r\n", Some(Duration::from_millis(500))),
        ("retry-after: -1\r\n", None),
        ("", None),
    ] {
        let failure = refused(429, headers, body).await;
        assert_eq!((failure.class, failure.retry_after), (ErrorClass::RateLimited, wait), "{failure}");
    }
}

#[tokio::test]
async fn an_overloaded_provider_is_told_from_a_broken_one() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    assert_eq!(refused(529, "", overloaded).await.class, ErrorClass::Overloaded);
    for status in [500, 502, 503, 504] {
        assert_eq!(refused(status, "", "<html>Bad gateway</html>").await.class, ErrorClass::Http5xx);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    // Given two servers, of which the first points to the second
    let (there, seen) = (MockServer::start().await, MockServer::start().await);
    let moved = ResponseTemplate::new(307).insert_header("location", seen.uri());
    Mock::given(method("POST")).respond_with(moved).mount(&there).await;
    // When the first is asked
    let failure = failure(&client(Dialect::OpenAi, &there.uri())).await;
    // Then the second never hears of it
    assert_eq!(failure.class, ErrorClass::HttpOther, "{failure}");
    assert!(seen.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_a_class_of_its_own() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let failure = streamed(openai_says("Hel") + &format!("event: error\ndata: {error}\n\n")).await;
    assert_eq!(failure.class, ErrorClass::MidStreamError);
    assert!(failure.message.contains("overloaded_error: Overloaded"), "{failure}");
}

#[tokio::test]
async fn a_stream_cut_inside_its_body_is_truncated() {
    let cut = || vec![Step::Write(stream_head() + &chunk(&openai_says("Hel"))), Step::Close];
    let failure = first_fails(cut).await;
    assert_eq!(failure.class, ErrorClass::Truncated, "{failure}");
}

#[tokio::test]
async fn a_stream_that_ends_well_without_its_terminal_event_is_truncated() {
    assert_eq!(streamed(openai_says("Hel")).await.class, ErrorClass::Truncated);
    // Given Anthropic's stream without its message_stop
    let start = r#"{"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}"#;
    let body = chunk(&format!("event: message_start\ndata: {start}\n\n"));
    let server = RawServer::start(move |_| vec![Step::Write(stream_head() + &body + LAST_CHUNK)]);
    // When it is read
    let failure = failure(&client(Dialect::Anthropic, &server.url())).await;
    // Then the message says what was missed
    assert_eq!(failure.class, ErrorClass::Truncated);
    assert!(failure.message.contains("message_stop"), "{failure}");
}

#[tokio::test]
async fn what_a_server_does_after_the_terminal_event_spoils_no_answer() {
    // Given a server that closes after `[DONE]`, inside its body
    let whole = || chunk(&(openai_says("Hello") + &openai_end()));
    let server = RawServer::start(move |_| vec![Step::Write(stream_head() + &whole()), Step::Close]);
    let client = client(Dialect::OpenAi, &server.url());
    // When it is asked twice, then both answers are whole, each on a connection of its own
    assert_eq!([text(&client).await, text(&client).await], ["Hello", "Hello"]);
    assert_eq!(client.connections_opened(), 2);
}

#[tokio::test]
async fn invalid_json_is_not_understood() {
    let failure = streamed("data: {\"choices\":[}\n\n".into()).await;
    assert_eq!(failure.class, ErrorClass::Parse, "{failure}");
    // Given an answer in one body, no JSON either
    let server =
        RawServer::start(|_| vec![Step::Write(plain(200, "content-type: application/json\r\n", "<html>"))]);
    let ask = Ask { stream: false, ..question() };
    // When it is read
    let exchange = client(Dialect::OpenAi, &server.url()).send(&ask, Instant::now(), &HeaderMap::new()).await;
    // Then
    assert_eq!(exchange.outcome.unwrap_err().class, ErrorClass::Parse);
}

#[tokio::test]
async fn a_page_where_a_stream_was_asked_for_is_named() {
    let page = "<html>\r\n\r\nSign in</html>";
    let failure =
        first_fails(move || vec![Step::Write(plain(200, "content-type: text/html\r\n", page))]).await;
    assert_eq!(failure.class, ErrorClass::Parse, "{failure}");
    assert!(failure.message.contains("text/html"), "{failure}");
}

#[tokio::test]
async fn a_server_that_does_not_stream_gives_an_answer_without_a_first_token() {
    // Given a server that ignores `stream`
    let body = r#"{"id":"c1","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]}"#;
    let server =
        RawServer::start(move |_| vec![Step::Write(plain(200, "content-type: application/json\r\n", body))]);
    // When it is asked to
    let answer = send(&client(Dialect::OpenAi, &server.url())).await.outcome.unwrap();
    // Then the answer is there and nothing pretends that it came in pieces
    assert_eq!(answer.reply.text(), "Hello");
    assert!(!answer.timeline.streamed && answer.timeline.events.is_empty());
}

#[tokio::test]
async fn a_generate_request_holds_three_fields_and_no_more() {
    // Given a server that takes nothing else
    let server = MockServer::start().await;
    let body = json!({"prompt": "Say hello.", "max_tokens": 16, "temperature": 0.0});
    let answer =
        ResponseTemplate::new(200).set_body_json(json!({"text": "Hello", "cached": false, "latency_ms": 1}));
    Mock::given(method("POST"))
        .and(path("/generate"))
        .and(body_json(body))
        .respond_with(answer)
        .mount(&server)
        .await;
    // When it is asked, then it answers
    assert_eq!(text(&client(Dialect::Generate, &server.uri())).await, "Hello");
}

#[tokio::test]
async fn each_vendor_gets_its_key_in_its_own_header() {
    // Given a server that refuses everybody
    let server = MockServer::start().await;
    let both = [(Dialect::Anthropic, Auth::ApiKey("k".into())), (Dialect::OpenAi, Auth::Bearer("k".into()))];
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(400)).mount(&server).await;
    let anthropic = Mock::given(path("/v1/messages")).and(header("x-api-key", "k"));
    let anthropic = anthropic.and(header("anthropic-version", "2023-06-01"));
    anthropic.respond_with(ResponseTemplate::new(418)).with_priority(1).expect(1).mount(&server).await;
    let openai = Mock::given(path("/v1/chat/completions")).and(header("authorization", "Bearer k"));
    openai.respond_with(ResponseTemplate::new(418)).with_priority(1).expect(1).mount(&server).await;
    // When each vendor's client asks, then each shows its key as the vendor wants it
    for (dialect, auth) in both {
        let client = Client::new(target(dialect, &server.uri(), &auth), Timeouts::default());
        assert!(failure(&client).await.message.contains("418"));
    }
}

#[tokio::test]
async fn compression_is_never_asked_for() {
    // Given a server
    let server = RawServer::start(|_| openai_answer());
    // When it is asked
    text(&client(Dialect::OpenAi, &server.url())).await;
    // Then it was not invited to hold bytes back
    let head = &server.requests()[0].head;
    assert!(head.contains("content-type: application/json") && !head.contains("accept-encoding"), "{head}");
}
