//! One Longhorn manager as a whole: the controller of backing images and those
//! around it, which start and end together.

use std::time::Duration;

use fixname_naming::ImageRef;
use tokio::task::JoinSet;

use super::FIRST_RESYNC;
use super::caches::{Lag, Watches};
use super::process::{Exit, Process, ProcessOptions};
use super::send::Sender;
use super::station::{SharedMachines, Station};
use crate::behaviour::Behaviour;
use crate::parts::{Part, Parts};
use crate::plan::Seat;

/// What a manager is started with.
#[derive(Clone, Debug)]
pub struct LonghornOptions {
    /// The version's switches.
    pub behaviour: Behaviour,
    /// The flag `--backing-image-manager-image`.
    pub manager_image: ImageRef,
    /// Whose manager it is.
    pub seat: Seat,
    /// What of it is played.
    pub parts: Parts,
    /// How late its caches show what has changed, at most. What it writes itself
    /// shows at once, for the real code waits for that.
    pub cache_lag: Duration,
    /// Where its random choices come from.
    pub seed: u64,
}

/// A running manager. Dropping it stops it.
#[derive(Debug)]
pub struct Longhorn {
    process: Option<Process>,
    station: Option<Station>,
    /// What feeds the caches of both; ends when it is dropped.
    watching: JoinSet<()>,
}

impl Longhorn {
    /// True if any of these parts runs in a manager.
    pub fn runs(parts: Parts) -> bool {
        parts.has(Part::BackingImage) || Station::runs(parts)
    }

    /// Starts a manager on the current tokio runtime.
    pub fn start(sender: Sender, machines: SharedMachines, options: LonghornOptions) -> Self {
        let lag = Lag {
            clock: sender.clock,
            longest: options.cache_lag,
            seed: options.seed,
        };
        let mut watches = Watches::on(&sender.client, &sender.namespace, lag);
        let process = options.parts.has(Part::BackingImage).then(|| {
            let options = ProcessOptions {
                behaviour: options.behaviour.clone(),
                manager_image: options.manager_image.clone(),
                seat: options.seat.clone(),
                // What the recordings did on timers, the station does.
                parts: Parts::NONE.with(Part::BackingImage),
                cache_lag: options.cache_lag,
                first_resync: FIRST_RESYNC,
                seed: options.seed,
            };
            Process::with(watches.caches(), sender.clone(), options)
        });
        let station = Station::runs(options.parts)
            .then(|| Station::start(watches.caches(), sender.clone(), machines, options));
        let mut watching = JoinSet::new();
        watching.spawn(watches.run(sender));
        Self {
            process,
            station,
            watching,
        }
    }

    /// Stops it and waits until it is gone.
    pub async fn stop(self) {
        if let Some(process) = self.process {
            process.stop().await;
        }
        if let Some(station) = self.station {
            station.stop().await;
        }
    }

    /// Waits until some of it has ended by itself, and ends the rest.
    pub async fn ended(self) -> Exit {
        let Self {
            mut process,
            mut station,
            watching: _watching,
        } = self;
        let process = async {
            match &mut process {
                Some(process) => process.ended().await,
                None => std::future::pending().await,
            }
        };
        let station = async {
            match &mut station {
                Some(station) => station.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            exit = process => exit,
            exit = station => exit,
        }
    }

    /// True once some of it has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.process.as_ref().is_some_and(Process::has_ended)
            || self.station.as_ref().is_some_and(Station::has_ended)
    }
}
