//! What SQLite and PostgreSQL say differently.

use std::fmt;
use std::path::PathBuf;

use super::StoreError;

/// A database that the service can keep its things in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

impl Backend {
    /// The time by the database's clock, in milliseconds since 1970.
    pub(super) fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            Self::Postgres => "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }

    /// What every new connection is told. SQLite's log ahead lets readers read while one writes.
    pub(super) fn greeting(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &["PRAGMA busy_timeout = 10000", "PRAGMA journal_mode = WAL"],
            Self::Postgres => &["SET statement_timeout = '60s'"],
        }
    }

    /// Puts a JSON array of numbers ($1) into `simulations`, for the model $2 and the metric $3.
    pub(super) fn insert_simulations(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "INSERT INTO simulations (id, value, llm_id, metric_id) \
                 SELECT $2 || '-' || $3 || '-' || (key + 1), value, $2, $3 FROM json_each($1)"
            }
            Self::Postgres => {
                "INSERT INTO simulations (id, value, llm_id, metric_id) \
                 SELECT $2 || '-' || $3 || '-' || number, CAST(value AS DOUBLE PRECISION), $2, $3 \
                 FROM json_array_elements_text(CAST($1 AS JSON)) WITH ORDINALITY AS listed (value, number)"
            }
        }
    }

    /// The file that an address names, if it names one.
    pub(super) fn file(self, url: &str) -> Option<PathBuf> {
        let rest = url.strip_prefix("sqlite:").filter(|_| self == Self::Sqlite)?;
        let path = rest.strip_prefix("//").unwrap_or(rest).split('?').next().unwrap_or_default();
        (!path.is_empty() && path != ":memory:").then(|| path.into())
    }
}

/// The kind of an address, and the address as the driver wants it.
pub(super) fn recognise(url: &str) -> Result<(Backend, String), StoreError> {
    let refused = |reason: &str| StoreError::Address { url: without_password(url), reason: reason.into() };
    match url.split_once(':') {
        Some(("sqlite", rest)) => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() || path.contains(":memory:") {
                return Err(refused("it names no file: sqlite:results/llmlab.db is one"));
            }
            // Two names for one thing, and the file is made where it is missing.
            let sign = if path.contains('?') { '&' } else { '?' };
            let mode = if path.contains("mode=") { String::new() } else { format!("{sign}mode=rwc") };
            Ok((Backend::Sqlite, format!("sqlite://{path}{mode}")))
        }
        Some(("postgres" | "postgresql", rest)) if cfg!(feature = "postgres") && rest.starts_with("//") => {
            Ok((Backend::Postgres, url.into()))
        }
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
            Err(refused("this build cannot open PostgreSQL: build it with --features postgres"))
        }
        _ => Err(refused("expected sqlite:FILE or postgres://USER@HOST/DATABASE")),
    }
}

/// An address that may be shown.
pub(in crate::service) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once(':') else { return url.into() };
    let rest = rest.trim_start_matches('/');
    // What could hold a password is not shown, be it written oddly.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for url in
            ["postgres://user:secret@host/db", "postgres://host/db?password=secret", "x://a:secret@b@host/db"]
        {
            let shown = without_password(url);
            assert!(!shown.contains("secret") && shown.contains("host/db"), "{shown}");
        }
    }

    #[test]
    fn an_address_is_understood_or_refused_with_what_would_do() {
        let (backend, url) = recognise("sqlite:some/where.db").unwrap();
        assert_eq!((backend, url.as_str()), (Backend::Sqlite, "sqlite://some/where.db?mode=rwc"));
        assert_eq!(backend.file(&url), Some("some/where.db".into()));
        for url in ["sqlite::memory:", "sqlite:", "mysql://host/db", "where.db"] {
            let text = recognise(url).unwrap_err().to_string();
            assert!(text.contains("sqlite:"), "{text}");
        }
    }
}
