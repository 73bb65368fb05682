//! The Longhorn managers of a run, the version they are of, and the machines that
//! they work on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fixname_controllers::driver::{Longhorn, LonghornOptions, Sender, SharedMachines};
use fixname_controllers::{Behaviour, Part, Parts, Seat};
use fixname_longhorn::BackingImageManager;
use fixname_naming::{ImageRef, LonghornVersion, Scheme, manager_image_for};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use crate::run::RunOptions;
use crate::scenario::{Cluster, ManagersAre};

/// The managers, running or not.
pub(crate) struct Managers {
    sender: Sender,
    pub(crate) machines: SharedMachines,
    parts: Parts,
    name_scheme: Option<Scheme>,
    seed: u64,
    seats: Vec<Seat>,
    cache_lag: Duration,
    /// By the place in `seats`.
    running: BTreeMap<usize, Longhorn>,
    started: u64,
    /// The version in force.
    pub(crate) longhorn: LonghornVersion,
    /// The image of backing image managers in force.
    pub(crate) image: ImageRef,
    /// Backing image managers that an earlier version has named, and whose image is
    /// still in force: they stay as they are.
    pub(crate) kept: BTreeSet<String>,
}

impl Managers {
    /// Managers as a scenario has them; none runs yet.
    ///
    /// # Errors
    ///
    /// That the version is not known.
    pub(crate) fn new(
        cluster: &Cluster,
        options: &RunOptions,
        sender: Sender,
        machines: SharedMachines,
    ) -> Result<Self, String> {
        let seats = match cluster.managers {
            ManagersAre::One => vec![Seat::AllNodes],
            ManagersAre::EachNode => {
                let nodes: BTreeSet<&String> = cluster.disks.keys().map(|d| &d.node).collect();
                nodes.into_iter().cloned().map(Seat::Node).collect()
            }
        };
        let image = manager_image_for(&options.longhorn).map_err(|e| e.to_string())?;
        Ok(Self {
            sender,
            machines,
            parts: options.parts,
            name_scheme: options.name_scheme,
            seed: options.seed,
            seats,
            cache_lag: Duration::from_millis(cluster.cache_lag_ms.into()),
            running: BTreeMap::new(),
            started: 0,
            longhorn: options.longhorn.clone(),
            image: image.image,
            kept: BTreeSet::new(),
        })
    }

    /// Starts those that do not run and whose node has power.
    ///
    /// # Errors
    ///
    /// That the version in force is not modelled.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        if !Longhorn::runs(self.parts) {
            return Ok(());
        }
        for (place, seat) in self.seats.iter().enumerate() {
            let is_down = match seat {
                Seat::AllNodes => false,
                Seat::Node(node) => self.machines.with(|machines| machines.is_down(node)),
            };
            if is_down || self.running.contains_key(&place) {
                continue;
            }
            let mut behaviour = Behaviour::of(&self.longhorn).map_err(|e| e.to_string())?;
            if let Some(scheme) = self.name_scheme {
                behaviour = behaviour.with_scheme(scheme);
            }
            // Each draws differently, as each does in reality.
            let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(self.started);
            self.started += 1;
            let options = LonghornOptions {
                behaviour,
                manager_image: self.image.clone(),
                seat: seat.clone(),
                parts: self.parts,
                cache_lag: self.cache_lag,
                seed,
            };
            let manager = Longhorn::start(self.sender.clone(), self.machines.clone(), options);
            self.running.insert(place, manager);
        }
        Ok(())
    }

    /// Stops all of them.
    pub(crate) async fn stop(&mut self) {
        while let Some((_, manager)) = self.running.pop_first() {
            manager.stop().await;
        }
    }

    /// True once one of them has ended by itself.
    pub(crate) fn have_ended(&self) -> bool {
        self.running.values().any(Longhorn::has_ended)
    }

    /// Another version, with its own image of backing image managers or with the one
    /// in force. Old and new managers do not overlap: the new ones wait.
    ///
    /// # Errors
    ///
    /// That nothing is played that could be exchanged, that the version is not known,
    /// or what the API server says.
    pub(crate) async fn install(
        &mut self,
        version: &LonghornVersion,
        keeps_image: bool,
        client: &Client,
    ) -> Result<(), String> {
        if !Longhorn::runs(self.parts) {
            return Err(format!(
                "no manager of the model is played (--play {}), so {version} cannot be installed",
                self.parts
            ));
        }
        self.stop().await;
        self.longhorn = version.clone();
        if keeps_image {
            let namespace = &self.sender.namespace;
            let api: Api<BackingImageManager> = Api::namespaced(client.clone(), namespace);
            let there = api.list(&ListParams::default()).await;
            let there = there.map_err(|e| format!("list managers: {e}"))?;
            self.kept.extend(there.iter().map(ResourceExt::name_any));
        } else {
            let image = manager_image_for(version).map_err(|e| e.to_string())?;
            self.image = image.image;
            self.kept.clear();
        }
        Ok(())
    }

    /// Cuts a node's power, or gives it back.
    ///
    /// # Errors
    ///
    /// That the controller of nodes, which would notice, is not played.
    pub(crate) async fn power(&mut self, node: &str, on: bool) -> Result<(), String> {
        if !self.parts.has(Part::Node) {
            return Err(format!(
                "the part node is not played (--play {}), so no node can lose its power",
                self.parts
            ));
        }
        self.machines.with(|machines| match on {
            true => machines.power_on(node),
            false => machines.power_off(node),
        });
        let seat = Seat::Node(node.to_owned());
        let place = self.seats.iter().position(|other| *other == seat);
        if !on && let Some(manager) = place.and_then(|place| self.running.remove(&place)) {
            manager.stop().await;
        }
        Ok(())
    }
}
