//! The roads to the target that somebody has asked for, opened when they are first taken.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::client::{Auth, Client, Road, Target, TargetError, Timeouts};
use crate::mock::{Mock, MockError};

/// Why a road cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoadError {
    #[error(
        "TLS, HTTP and distance are the target's own unless it is simulated, and not recorded: only whether connections are reused can be chosen"
    )]
    NotSimulated,
    #[error(transparent)]
    Entrance(#[from] MockError),
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// A client for each road and dialect, beside the session's ordinary ones.
#[derive(Debug, Default)]
pub(super) struct Roads(Mutex<BTreeMap<(&'static str, Road), Client>>);

impl Roads {
    /// The client that goes over `road` to the target of `ordinary`.
    pub(super) fn client(
        &self,
        road: &Road,
        ordinary: &Client,
        mock: Option<&Mock>,
        timeouts: Timeouts,
    ) -> Result<Client, RoadError> {
        if *road == Road::default() {
            return Ok(ordinary.clone());
        }
        let key = (ordinary.target().dialect().name(), *road);
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let target = match mock {
            Some(mock) => at_entrance(mock, road, ordinary.target())?,
            None if road.is_open_to_all() => ordinary.target().clone(),
            None => return Err(RoadError::NotSimulated),
        };
        let client = Client::over(road, target, timeouts);
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// Connections opened so far.
    pub(super) fn connections(&self) -> u64 {
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.values().map(Client::connections_opened).sum()
    }
}

fn at_entrance(mock: &Mock, road: &Road, target: &Target) -> Result<Target, RoadError> {
    let entrance = mock.entrance(road.tls.is_some(), road.rtt)?;
    let target = Target::new(target.name(), target.dialect(), &entrance.url, target.model(), &Auth::None)?;
    Ok(match entrance.certificate {
        Some(certificate) => target.trusting(certificate),
        None => target,
    })
}
