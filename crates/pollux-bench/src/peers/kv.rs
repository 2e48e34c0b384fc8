//! `kv`: replicated `pollux-kv` against `redis-server` alone.
//!
//! What is compared: the same `redis-benchmark` (Redis' own tool, 50 connections over TCP on the loopback, values of 64
//! bytes, 100,000 keys) against both, at pipeline 1 and 16: SET, GET, INCR, LPUSH, HSET. Pollux keeps two copies and replies to a
//! change when the second one has it; `redis-server` keeps one, without replica, RDB and AOF, with its defaults else. So
//! this favours Redis: it promises less. The keyspace is emptied on both sides before each run. The scheduler
//! places Redis and the tool; Pollux binds its own servers.

use crate::arguments::Plan;
use crate::node::{Bench, pollux_program};
use crate::noise::{self, Measured};
use crate::numbers::{median, spread_percent};
use crate::peers::home::{free_port, run};
use crate::peers::packages;
use crate::peers::redis::{Single, ask};
use crate::peers::served::{Served, resident_mib};
use crate::placement::Placement;
use crate::progress;
use crate::report::{Figure, Row, Target, Value};
use anyhow::{Context, Result, ensure};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

const NAME: &str = "$KV";
const PEER: &str = "redis-server, one copy";
const TESTS: [&str; 5] = ["SET", "GET", "INCR", "LPUSH", "HSET"];
/// Requests in one write, and how many a second are expected: a run is to last as long as a row.
const PIPELINES: [(u32, f64); 2] = [(1, 80_000.0), (16, 500_000.0)];
const CONNECTIONS: &str = "50";
const VALUE_BYTES: &str = "64";
const KEYS: &str = "100000";
const RATIO_TARGET: f64 = 1.0;
/// Requests before a run, unmeasured.
const WARM_UP_SHARE: f64 = 0.1;

/// One run of the tool.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Column {
    requests: f64,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// Rounds of Pollux and of Redis.
type Sides = [Vec<Measured<Column>>; 2];

/// Measures all columns on both sides in turn.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let tool = packages::program("redis-benchmark", "redis-tools")?;
    let redis = Single::start()?;
    let port = free_port()?;
    let program = pollux_program()?.with_file_name("pollux-kv");
    ensure!(program.is_file(), "there is no {}\n  next: cargo xtask bench builds it", program.display());
    bench.run_program(NAME, true, &program, &["--port", &port.to_string()])?;
    let _pollux = Served::started(bench, NAME);
    Placement::Free.enter(bench, 0)?;

    let cells: Vec<(u32, f64, &str)> =
        PIPELINES.iter().flat_map(|(depth, rate)| TESTS.map(|test| (*depth, *rate, test))).collect();
    let mut results: Vec<Sides> = vec![[Vec::new(), Vec::new()]; cells.len()];
    let roots = bench.roots();
    for round in 1..=plan.rounds {
        for ((depth, rate, test), sides) in cells.iter().zip(&mut results) {
            progress::show(&format!("kv: round {round} of {}: {test}, pipeline {depth}", plan.rounds));
            let requests = rate * plan.row_time.as_secs_f64();
            for (port, side) in [port, redis.port()].into_iter().zip(sides) {
                ask(&mut TcpStream::connect((Ipv4Addr::LOCALHOST, port))?, &["FLUSHALL"])?;
                load(&tool, port, (*depth, test, requests * WARM_UP_SHARE))?;
                side.push(noise::cleanest(&roots, noise::TRIES_AGAIN_MAX, || {
                    load(&tool, port, (*depth, test, requests))
                })?);
            }
        }
    }
    let memory = [resident_mib(&bench.pids(|name| name == NAME)?), resident_mib(&redis.pids())];
    let row = |((depth, _, test), [pollux, redis]): (&(u32, f64, &str), &Sides)| {
        let noise = |side: &[Measured<Column>]| median(side.iter().map(|one| one.noise_percent));
        Row {
            name: format!("kv {test}, pipeline {depth}"),
            value: Value::PerSecond,
            figure: Figure { memory_mib: memory[0], ..figure(pollux) },
            baseline: Some((PEER, Figure { memory_mib: memory[1], ..figure(redis) })),
            target: Some(Target::RatioAtLeast(RATIO_TARGET)),
            noise_percent: noise(pollux).max(noise(redis)),
            note: None,
        }
    };
    Ok(cells.iter().zip(&results).map(row).collect())
}

fn load(tool: &Path, port: u16, (depth, test, requests): (u32, &str, f64)) -> Result<Column> {
    let numbers = [port.to_string(), (requests as u64).max(1).to_string(), depth.to_string()];
    let mut command = Command::new(tool);
    command.args(["--csv", "-h", "127.0.0.1", "-c", CONNECTIONS, "-d", VALUE_BYTES, "-r", KEYS]);
    command.args(["-t", &test.to_lowercase(), "-p", &numbers[0], "-n", &numbers[1], "-P", &numbers[2]]);
    let text = run(&mut command)?;
    column(&text, test, requests).with_context(|| format!("read what redis-benchmark says: {text}"))
}

/// The line of a test: its name, requests a second, and milliseconds: mean, least, p50, p95, p99, most.
fn column(text: &str, test: &str, requests: f64) -> Option<Column> {
    let cells =
        |line: &str| line.split(',').map(|cell| cell.trim_matches('"').to_owned()).collect::<Vec<_>>();
    let line = text.lines().map(cells).find(|cells| cells[0].split_whitespace().next() == Some(test))?;
    let number = |at: usize| line.get(at)?.parse::<f64>().ok();
    let [per_second, p50_ms, p99_ms, max_ms] = [number(1)?, number(4)?, number(6)?, number(7)?];
    Some(Column { requests, per_second, p50_ms, p99_ms, max_ms })
}

fn figure(rounds: &[Measured<Column>]) -> Figure {
    let over = |value: fn(&Column) -> f64| median(rounds.iter().map(|round| value(&round.value)));
    Figure {
        p50_us: over(|column| column.p50_ms) * 1000.0,
        p99_us: over(|column| column.p99_ms) * 1000.0,
        max_us: rounds.iter().map(|round| round.value.max_ms).fold(0.0, f64::max) * 1000.0,
        per_second: Some(over(|column| column.per_second)),
        cpu_us: Some(median(rounds.iter().map(|round| round.own_us / round.value.requests))),
        spread_percent: spread_percent(rounds.iter().map(|round| 1.0 / round.value.per_second)),
        samples: rounds.iter().map(|round| round.value.requests as usize).sum(),
        ..Figure::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A column that is off by one makes a rate of a latency.
    #[test]
    fn the_tool_is_understood() {
        let text = "\
\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"
\"LPUSH (needed to benchmark LRANGE)\",\"1.00\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\"
\"SET\",\"83333.34\",\"0.330\",\"0.096\",\"0.303\",\"0.503\",\"0.687\",\"1.015\"
";
        let expected =
            Column { requests: 9.0, per_second: 83333.34, p50_ms: 0.303, p99_ms: 0.687, max_ms: 1.015 };
        assert_eq!(column(text, "SET", 9.0), Some(expected));
        assert_eq!(column(text, "GET", 9.0), None);
    }
}
