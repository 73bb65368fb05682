//! One Longhorn manager as a whole: the controller of backing images and those
//! around it, which start and end together.

use std::time::Duration;

use fixname_naming::ImageRef;

use super::process::{Exit, Process, ProcessOptions};
use super::send::Sender;
use super::station::{SharedMachines, Station, StationOptions};
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
    /// Where its random choices come from.
    pub seed: u64,
}

/// A running manager. Dropping it stops it.
#[derive(Debug)]
pub struct Longhorn {
    process: Option<Process>,
    station: Option<Station>,
}

impl Longhorn {
    /// True if any of these parts runs in a manager.
    pub fn runs(parts: Parts) -> bool {
        parts.has(Part::BackingImage) || Station::runs(parts)
    }

    /// Starts a manager on the current tokio runtime.
    pub fn start(sender: Sender, machines: SharedMachines, options: LonghornOptions) -> Self {
        let LonghornOptions {
            behaviour,
            manager_image,
            seat,
            parts,
            seed,
        } = options;
        let process = parts.has(Part::BackingImage).then(|| {
            let options = ProcessOptions {
                behaviour: behaviour.clone(),
                manager_image: manager_image.clone(),
                seat: seat.clone(),
                // What the recordings did on timers, the station does.
                parts: Parts::NONE.with(Part::BackingImage),
                cache_lag: Duration::ZERO,
                seed,
            };
            Process::start(sender.clone(), options)
        });
        let station = Station::runs(parts).then(|| {
            let options = StationOptions {
                behaviour,
                manager_image,
                seat,
                parts,
                // Streams of its own.
                seed: !seed,
            };
            Station::start(sender, machines, options)
        });
        Self { process, station }
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
