//! Peers come from Debian's packages. What is missing is installed when that is allowed; no service is started by it.

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where package scripts ask whether they may start a service (invoke-rc.d(8)).
const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_NO: &str = "#!/bin/sh\nexit 101\n";
/// Where servers are that only the administrator starts.
const DIRECTORIES: [&str; 2] = ["/usr/sbin", "/sbin"];

/// A program of a package, installed if it is missing and this process may.
pub(crate) fn program(name: &str, package: &str) -> Result<PathBuf> {
    file(&places_of(name), package)
}

/// The first of these files that is there, after its package has been installed if none was.
pub(crate) fn file(places: &[PathBuf], package: &str) -> Result<PathBuf> {
    let find = || places.iter().find(|place| place.exists()).cloned();
    if let Some(found) = find() {
        return Ok(found);
    }
    install(package)?;
    find().with_context(|| format!("the package {package} has none of {places:?}"))
}

fn places_of(program: &str) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(DIRECTORIES.iter().map(PathBuf::from));
    directories.map(|directory| directory.join(program)).collect()
}

fn install(package: &str) -> Result<()> {
    if !geteuid().is_root() {
        bail!("{package} is not installed\n  next: apt-get install --no-install-recommends {package}");
    }
    let _no_services = NoServices::begin()?;
    let install = ["install", "-y", "-qq", "--no-install-recommends", package];
    // The lists of packages may be old or missing.
    apt(&install).or_else(|_| apt(&["update", "-qq"]).and_then(|()| apt(&install)))
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    let output = apt.output().context("run apt-get")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("apt-get {}: {}", arguments.join(" "), said.lines().last().unwrap_or("failed"));
    }
    Ok(())
}

/// While this lives, no package script starts a service; a policy that the machine has already is left alone.
struct NoServices {
    is_ours: bool,
}

impl NoServices {
    fn begin() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { is_ours: false });
        }
        fs::write(POLICY, POLICY_NO).with_context(|| format!("write {POLICY}"))?;
        let policy = Self { is_ours: true };
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).context("set the policy's mode")?;
        Ok(policy)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.is_ours {
            // Left behind, it would only keep package scripts from starting services.
            let _ = fs::remove_file(POLICY);
        }
    }
}
