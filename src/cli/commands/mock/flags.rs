//! Groups of flags, each of which writes over what a file or a default says.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use crate::mock::{self, GenerateFile, MockFile, Time};

/// What may be asked in a minute.
#[derive(Debug, clap::Args)]
pub(super) struct Limits {
    /// Requests a minute; beyond them the mock answers 429 with the provider's headers.
    #[arg(long, value_name = "N")]
    limit_rpm: Option<NonZeroU64>,
    /// Input tokens a minute, those read from the prompt cache not counted.
    #[arg(long, value_name = "N")]
    limit_input_tpm: Option<NonZeroU64>,
    /// Output tokens a minute.
    #[arg(long, value_name = "N")]
    limit_output_tpm: Option<NonZeroU64>,
}

/// How clients reach it.
#[derive(Debug, clap::Args)]
pub(super) struct WayIn {
    /// Serve TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2, with a certificate made at the start.
    #[arg(long)]
    tls: bool,
    /// Write the certificate into this file, as PEM, for clients to trust; implies --tls.
    #[arg(long, value_name = "FILE")]
    cert_out: Option<PathBuf>,
    /// Put the server this round trip away: handshakes and long prompts take theirs too [default: 0s].
    #[arg(long, value_name = "TIME")]
    rtt: Option<Time>,
}

/// The knobs of `/generate`.
#[derive(Debug, clap::Args)]
pub(super) struct Generate {
    /// Most prompts in one batch [default: 8].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    max_batch_size: Option<usize>,
    /// How long a batch waits for more prompts, in milliseconds [default: 50].
    #[arg(long, value_name = "MS")]
    batch_timeout_ms: Option<u64>,
    /// How long an answer is given again, in seconds; 0 turns the cache off [default: 300].
    #[arg(long, value_name = "SECONDS")]
    cache_ttl: Option<u64>,
    /// Most answers kept; 0 turns the cache off [default: 1000].
    #[arg(long, value_name = "N")]
    cache_max_entries: Option<usize>,
    /// Let a prompt wait for the same one that is being answered, instead of computing both.
    #[arg(long)]
    single_flight: bool,
}

/// Sets what a flag was given for.
pub(super) fn set<T>(setting: &mut T, flag: Option<T>) {
    if let Some(value) = flag {
        *setting = value;
    }
}

impl Limits {
    pub(super) fn apply(&self, limits: &mut mock::Limits) {
        set(&mut limits.requests_per_minute, self.limit_rpm.map(Some));
        set(&mut limits.input_tokens_per_minute, self.limit_input_tpm.map(Some));
        set(&mut limits.output_tokens_per_minute, self.limit_output_tpm.map(Some));
    }
}

impl WayIn {
    pub(super) fn apply(&self, settings: &mut MockFile) {
        settings.tls |= self.tls || self.cert_out.is_some();
        set(&mut settings.cert_out, self.cert_out.clone().map(Some));
        set(&mut settings.rtt, self.rtt);
    }
}

impl Generate {
    pub(super) fn apply(&self, generate: &mut GenerateFile) {
        set(&mut generate.max_batch_size, self.max_batch_size);
        set(&mut generate.batch_timeout, self.batch_timeout_ms.map(Duration::from_millis).map(Time));
        set(&mut generate.cache_ttl, self.cache_ttl.map(Duration::from_secs).map(Time));
        set(&mut generate.cache_max_entries, self.cache_max_entries);
        generate.single_flight |= self.single_flight;
    }
}

pub(super) fn loopback(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let address: IpAddr = text.parse().map_err(|_| "expected an IP address, such as 127.0.0.1".to_owned())?;
    address.is_loopback().then_some(address).ok_or_else(|| MockFile::LOOPBACK_ONLY.to_owned())
}

pub(super) fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| *factor > 0.0 && *factor < 1e3);
    factor.ok_or_else(|| "expected a number above 0 and below 1000, such as 1.3".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&number| number > 0)
        .ok_or_else(|| "expected a whole number of at least 1".to_owned())
}
