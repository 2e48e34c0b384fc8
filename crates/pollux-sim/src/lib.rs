//! The production machines of Pollux in a simulated world.
//!
//! A whole pair with its requesters, coordinator and daemons is played by the machines of `pollux-core`, one step at a time.
//! What this shows: that no crash at any moment, and no schedule that was drawn, loses or doubles a request, lets two
//! halves speak, or stops the service for good. What it does not: the shell around the machines, sockets, real time
//! (`pollux-torture` does).
//!
//! | File | What it does |
//! | --- | --- |
//! | [`plan`] | what is played, as data with a text form |
//! | [`world`] | plays it: halves, requesters, coordinator, daemons, channels |
//! | [`run`] | who is next, when faults come, when it is over |
//! | [`checks`] | the promises |
//! | [`history`] | what requesters asked and were told, as lines; real runs have the same |
//! | [`judge`] | what a history is held to |
//! | [`linear`] | whether one order explains all answers |
//! | [`enumerate`] | every fault at every place |
//! | [`swarm`] | the plan that a seed stands for |
//! | [`campaign`] | many seeds, on all CPUs, with counts that add up |
//! | [`kept`] | the file of such counts |
//! | [`shrink`] | makes a plan that fails small |
//! | [`sometimes`] | situations that must have been met |
//! | [`bugs`] | errors that must be found |
#![forbid(unsafe_code)]

pub mod app;
pub mod bugs;
pub mod campaign;
pub mod checks;
pub mod enumerate;
pub mod history;
pub mod judge;
pub mod kept;
pub mod linear;
pub mod plan;
pub mod run;
pub mod server;
pub mod shrink;
pub mod sometimes;
pub mod swarm;
pub mod world;
