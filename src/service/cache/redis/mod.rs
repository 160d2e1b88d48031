//! A cache for several processes, where the feature `redis` brings its client.

#[cfg(not(feature = "redis"))]
mod disabled;
#[cfg(feature = "redis")]
mod enabled;

#[cfg(not(feature = "redis"))]
pub(super) use disabled::Redis;
#[cfg(feature = "redis")]
pub(super) use enabled::Redis;
