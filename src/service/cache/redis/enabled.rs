//! A cache in Redis. It is never needed: where it fails, the database answers.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script};
use xxhash_rust::xxh3::xxh3_64;

use crate::report::say;
use crate::service::cache::{CacheError, Entry};
use crate::service::store::without_password;

/// How long a change may stay unseen by which no epoch was raised: one by a command without Redis.
const LIFE: Duration = Duration::from_secs(5);
/// How long Redis may take to answer: the database answers sooner.
const PATIENCE: Duration = Duration::from_millis(250);

/// A cache for several processes.
pub struct Redis {
    connection: ConnectionManager,
    /// What the keys of those begin with who keep the same database.
    prefix: String,
    raise: Script,
    failing: AtomicBool,
}

impl fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Redis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Redis {
    pub(in crate::service::cache) async fn open(url: &str, database: &str) -> Result<Self, CacheError> {
        let open =
            |error: RedisError| CacheError::Open { url: without_password(url), reason: error.to_string() };
        let client = Client::open(url).map_err(open)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(PATIENCE))
            .set_connection_timeout(Some(Duration::from_secs(2)))
            .set_number_of_retries(1);
        Ok(Self {
            connection: ConnectionManager::new_with_config(client, config).await.map_err(open)?,
            prefix: format!("llmlab:{:016x}", xxh3_64(database.as_bytes())),
            raise: Script::new(
                "if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or '0') then \
                 redis.call('SET', KEYS[1], ARGV[1]) end",
            ),
            failing: AtomicBool::new(false),
        })
    }

    pub(in crate::service::cache) async fn get(&self, key: &str) -> Option<Entry> {
        let keys = [self.epoch(), self.entry(key)];
        let mut command = redis::cmd("MGET");
        let read = command.arg(&keys[..]).query_async(&mut self.connection.clone()).await;
        let (epoch, entry): (Option<i64>, Option<String>) = self.note(read)?;
        let entry = entry.and_then(|text| parse(&text))?;
        (entry.epoch >= epoch.unwrap_or_default()).then_some(entry)
    }

    pub(in crate::service::cache) async fn put(&self, key: &str, entry: &Entry) {
        let text = format!("{}\n{}\n{}", entry.epoch, entry.source, entry.body);
        let mut command = redis::cmd("SET");
        command.arg(self.entry(key)).arg(text).arg("EX").arg(LIFE.as_secs());
        let _: Option<()> = self.note(command.query_async(&mut self.connection.clone()).await);
    }

    pub(in crate::service::cache) async fn raise(&self, epoch: i64) {
        let mut raise = self.raise.prepare_invoke();
        raise.key(self.epoch()).arg(epoch);
        let _: Option<()> = self.note(raise.invoke_async(&mut self.connection.clone()).await);
    }

    fn epoch(&self) -> String {
        format!("{}:epoch", self.prefix)
    }

    fn entry(&self, key: &str) -> String {
        format!("{}:{key}", self.prefix)
    }

    /// Says once that Redis fails, and once that it is back.
    fn note<T>(&self, answer: Result<T, RedisError>) -> Option<T> {
        let failed = answer.is_err();
        if self.failing.swap(failed, Ordering::Relaxed) != failed {
            say(&match &answer {
                Ok(_) => "[llmlab] Redis answers again".to_owned(),
                Err(error) => format!("[llmlab] Redis fails ({error}): the database answers instead"),
            });
        }
        answer.ok()
    }
}

fn parse(text: &str) -> Option<Entry> {
    let mut parts = text.splitn(3, '\n');
    let (epoch, source, body) = (parts.next()?.parse().ok()?, parts.next()?.into(), parts.next()?.into());
    Some(Entry { epoch, source, body })
}
