//! Quorum mode on three hosts with three etcd members: whatever is cut or killed, no accepted change is lost and there are never two
//! writers.

use super::etcd::Etcd;
use super::history::{History, Writers};
use super::hosts::{Hosts, NAMES};
use super::network::{Network, turn};
use super::servers::Servers;
use std::sync::Arc;

fn begin() -> Option<(Arc<Hosts>, Etcd)> {
    let network = Network::new(&NAMES)?;
    let etcd = Etcd::start(&network)?;
    let place = Etcd::place(&network);
    let addresses: Vec<(&str, String)> = NAMES.iter().map(|host| (*host, network.address(host))).collect();
    let addresses: Vec<(&str, &str)> = addresses.iter().map(|(host, text)| (*host, text.as_str())).collect();
    let hosts = Hosts::new(network, &addresses, &["--coordinator", &place, "--domain-time", "stable=1500"]);
    hosts.begin();
    Some((Arc::new(hosts), etcd))
}

// A host that is cut off, wholly or in one direction, must fall silent before another one acts, and lose nothing that it had accepted.
#[test]
fn cut_links() {
    let _turn = turn();
    let Some((hosts, _etcd)) = begin() else { return };
    let shown = hosts.domain("gamma", &["status"]).done();
    assert!(shown.contains("ADDRESS\n") && shown.contains("  10.77.0.2:1553\n"), "{shown}");
    let history = Arc::new(History::default());
    let network = &hosts.network;
    let others = ["beta", "gamma"];
    let cuts: [(&str, &dyn Fn(bool)); 3] = [
        ("link", &|cut| network.link("alpha", !cut)),
        ("sends", &|cut| {
            others
                .iter()
                .for_each(|to| if cut { network.cut("alpha", to) } else { network.heal("alpha", to) })
        }),
        ("hears", &|cut| {
            others
                .iter()
                .for_each(|of| if cut { network.cut(of, "alpha") } else { network.heal(of, "alpha") })
        }),
    ];
    for (round, cut) in cuts {
        let writers = Writers::start(&hosts, &history, round);
        hosts.wait("changes at all servers", || history.done() > 3);
        cut(true);
        for host in others {
            hosts.wait_acts(host, "beta");
        }
        history.look(&hosts);
        let before = history.done();
        hosts.wait("changes go on", || history.done() > before + 2);
        assert!(hosts.acting("alpha").is_none_or(|(name, _)| name != "alpha"), "{round}: alpha acts, too");
        cut(false);
        for host in NAMES {
            hosts.wait_acts(host, "alpha");
        }
        history.look(&hosts);
        writers.stop();
        hosts.wait_whole();
        history.check(&hosts);
    }
}

// Hosts that die and return, with older files or in another order than they went: what was accepted is there, and only it.
#[test]
fn lost_hosts() {
    let _turn = turn();
    let Some((hosts, mut etcd)) = begin() else { return };
    let history = Arc::new(History::default());
    let change = |at: &str, adds, name: &str| {
        hosts.wait(&format!("{name} is changed at {at}"), || history.change(&hosts, at, adds, name));
    };

    // The whole host of the master is lost, with its etcd member; changes are asked during the takeover.
    change("alpha", true, "before");
    hosts.lose("alpha");
    etcd.lose("alpha");
    change("gamma", true, "during");
    change("beta", false, "before");
    history.look(&hosts);
    assert_eq!(hosts.acting("gamma").unwrap().0, "beta");
    // It returns with older files.
    etcd.again(&hosts.network, "alpha");
    hosts.up("alpha", &[]);
    hosts.wait_acts("gamma", "alpha");
    hosts.wait_whole();
    history.check(&hosts);

    // Both backups, in both orders.
    for (first, second) in [("beta", "gamma"), ("gamma", "beta")] {
        let writers = Writers::start(&hosts, &history, first);
        hosts.lose(first);
        hosts.lose(second);
        change("alpha", true, &format!("alone-{first}"));
        hosts.up(second, &[]);
        hosts.up(first, &[]);
        writers.stop();
        hosts.wait_whole();
        history.look(&hosts);
        history.check(&hosts);
        assert_eq!(hosts.acting("gamma").unwrap().0, "alpha");
    }

    // A down, B writes, B down, A returns; the third server is away all the time.
    hosts.down("gamma");
    hosts.down("alpha");
    hosts.wait_acts("beta", "beta");
    change("beta", true, "of-beta");
    hosts.lose("beta");
    hosts.up("alpha", &[]);
    hosts.wait_acts("alpha", "alpha");
    assert!(hosts.list("alpha").contains(&"of-beta".to_owned()));
    change("alpha", false, "of-beta");
    hosts.up("beta", &[]);
    hosts.up("gamma", &[]);
    hosts.wait_whole();
    history.look(&hosts);
    history.check(&hosts);
}
