//! The showcase under somebody else's load generator.

use crate::{kill_until, node};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

/// One command in the inline form, and its whole answer.
fn ask(port: u16, command: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.trim_end().trim_end_matches("+OK").trim_end().to_owned()
}

/// An ordinary client program of the showcase would see an error or a reset.
#[test]
fn redis_benchmark_does_not_notice_kills() {
    let found = Command::new("redis-benchmark").arg("--version").stdout(Stdio::null()).status();
    if found.is_err() {
        println!("skipped: redis-benchmark is not installed (package redis-tools)");
        return;
    }
    let node = node();
    // Port 0 would be a new port for each pair only; any free one will do.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    node.run_pair("$KV", &["__kv", "--port", &port.to_string()]);
    let mut benchmark = Command::new("redis-benchmark")
        .args(["-p", &port.to_string(), "-c", "20", "-P", "8", "-n", "100000", "-q"])
        .args(["-t", "set,get,incr,lpush,sadd,hset,spop,zadd,zpopmin,lrange,mset,ping"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut outputs = [Vec::new(), Vec::new()];
    let (mut out, mut err) = (benchmark.stdout.take().unwrap(), benchmark.stderr.take().unwrap());
    let [said, errors] = &mut outputs;
    let kills = std::thread::scope(|scope| {
        scope.spawn(move || out.read_to_end(said));
        scope.spawn(move || err.read_to_end(errors));
        kill_until(&node, "$KV", || benchmark.try_wait().unwrap().is_some())
    });
    let [said, errors] = outputs.map(|bytes| String::from_utf8_lossy(&bytes).replace('\r', "\n"));
    let status = benchmark.wait().unwrap();
    println!("{kills} kills");
    assert!(status.success(), "{status}\n{said}\n{errors}\n{}", node.logs());
    for text in [&said, &errors] {
        let wrong = text
            .lines()
            .find(|line| line.contains("Error") || line.contains("error") || line.contains("ERR"));
        assert_eq!(wrong, None, "{said}\n{errors}");
    }
    // 100,000 is a multiple of the pipeline's 8, so exactly so many are sent.
    let counter = ask(port, "GET counter:__rand_int__");
    assert_eq!(counter.lines().last(), Some("100000"), "{counter:?}");
    node.stop_pair("$KV");
    node.finish();
}
