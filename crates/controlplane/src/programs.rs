//! Where the programs are: `KUBEBUILDER_ASSETS`, else `PATH`, else the
//! folders of the user's cache. Only looks; runs nothing.

use std::path::{Path, PathBuf};

use crate::Error;

/// The programs of a control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// etcd
    pub etcd: PathBuf,
    /// kube-apiserver
    pub apiserver: PathBuf,
    /// kube-controller-manager, if it is there.
    pub controller_manager: Option<PathBuf>,
}

impl Programs {
    /// Looks in the usual places.
    ///
    /// # Errors
    /// [`Error::ProgramsNotFound`] when etcd or kube-apiserver is missing.
    pub fn find() -> Result<Self, Error> {
        Self::find_in(&usual_places())
    }

    /// Looks in these folders, in this order.
    ///
    /// # Errors
    /// [`Error::ProgramsNotFound`] when etcd or kube-apiserver is missing.
    pub fn find_in(folders: &[PathBuf]) -> Result<Self, Error> {
        let find = |name: &str| {
            folders
                .iter()
                .map(|folder| folder.join(name))
                .find(|path| is_program(path))
        };
        match (find("etcd"), find("kube-apiserver")) {
            (Some(etcd), Some(apiserver)) => Ok(Self {
                etcd,
                apiserver,
                controller_manager: find("kube-controller-manager"),
            }),
            (etcd, apiserver) => Err(Error::ProgramsNotFound {
                missing: [
                    ("etcd", etcd.is_none()),
                    ("kube-apiserver", apiserver.is_none()),
                ]
                .into_iter()
                .filter(|(_, missing)| *missing)
                .map(|(name, _)| name.to_owned())
                .collect(),
                looked_in: folders.to_vec(),
            }),
        }
    }
}

fn usual_places() -> Vec<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    let mut places: Vec<PathBuf> = var("KUBEBUILDER_ASSETS")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    places.extend(
        var("PATH")
            .iter()
            .flat_map(|path| std::env::split_paths(path).collect::<Vec<_>>()),
    );
    let cache = var("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| var("HOME").map(|home| Path::new(&home).join(".cache")));
    if let Some(cache) = cache {
        places.push(cache.join("fixname/bin"));
        places.push(cache.join("kind-offline/bin"));
    }
    places
}

fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata()
            .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    {
        path.is_file()
    }
}
