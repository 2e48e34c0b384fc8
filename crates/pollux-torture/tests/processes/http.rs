//! The HTTP example under ordinary clients: none may see a failed request, or have to connect again.

use crate::{kill_until, node};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use pollux_torture::{Fault, Node, faults};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::thread;

const NAME: &str = "$WEB";

fn serve(node: &Node) -> u16 {
    node.run_pair(NAME, &["http", "127.0.0.1:0"]);
    let address = node.request(NAME, "where");
    address.trim().rsplit(':').next().unwrap().parse().unwrap()
}

/// False, with a line that says so, if the machine has no such program.
fn is_there(program: &str, package: &str) -> bool {
    let found = Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        println!("skipped: {program} is not installed (package {package})");
    }
    found
}

/// Each answer is the next number: one that was lost or handled twice would leave a gap.
#[test]
fn curl_does_not_notice_kills() {
    if !is_there("curl", "curl") {
        return;
    }
    const REQUESTS: usize = 20_000;
    let node = node();
    let port = serve(&node);
    let mut curl = Command::new("curl")
        .args(["-sS", "--fail", "-d", "", "-w", "%{http_code} %{num_connects}\n"])
        .arg(format!("http://127.0.0.1:{port}/counter?[1-{REQUESTS}]"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(curl.stdout.take().unwrap());
    let (lines, kills) = thread::scope(|scope| {
        let lines = scope.spawn(move || out.lines().map(Result::unwrap).collect::<Vec<String>>());
        let kills = kill_until(&node, NAME, || curl.try_wait().unwrap().is_some());
        (lines.join().unwrap(), kills)
    });
    assert!(curl.wait().unwrap().success(), "{}", node.logs());
    let expected: Vec<String> = (1..=REQUESTS)
        .flat_map(|number| [number.to_string(), format!("200 {}", i32::from(number == 1))])
        .collect();
    let wrong = lines.iter().zip(&expected).position(|(line, expected)| line != expected);
    assert_eq!(wrong.map(|at| (&lines[at], &expected[at])), None);
    assert_eq!(lines.len(), expected.len());
    println!("{kills} kills");
    assert!(kills > 2, "the kills came into the requests");
    node.finish();
}

/// A request that has come by half when the primary dies would be forgotten, or its second half taken for a request.
#[test]
fn a_kill_inside_a_request_does_not_disturb_nc() {
    if !is_there("nc", "netcat-openbsd") {
        return;
    }
    let node = node();
    let port = serve(&node);
    let mut nc = Command::new("nc")
        .args(["127.0.0.1", &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut to, mut from) = (nc.stdin.take().unwrap(), BufReader::new(nc.stdout.take().unwrap()));
    let mut say = |text: &str| to.write_all(text.as_bytes()).unwrap();
    let faults =
        [Fault::KillPrimary, Fault::Switch, Fault::KillPrimaryCpu, Fault::StopPrimary, Fault::KillBackup];
    for (round, fault) in faults.into_iter().enumerate() {
        say("PUT /notes/a HTTP/1.1\r\nHost: x\r\nContent-Le");
        faults::inflict(&node, NAME, fault);
        say("ngth: 11\r\n\r\nround");
        faults::inflict(&node, NAME, Fault::KillPrimary);
        say(&format!(" {round:04}\nGET /notes/a HTTP/1.1\r\nHost: x\r\n\r\n"));
        let saved = if round == 0 { ("201 Created", "created") } else { ("200 OK", "changed") };
        let note = format!("round {round:04}");
        for (status, body) in [saved, ("200 OK", note.as_str())] {
            let mut head: Vec<String> = Vec::new();
            while head.last().is_none_or(|line| !line.is_empty()) {
                head.push(read_line(&mut from));
            }
            assert_eq!(
                (head[0].as_str(), read_line(&mut from).as_str()),
                (format!("HTTP/1.1 {status}").as_str(), body)
            );
        }
    }
    drop(to);
    nc.kill().unwrap();
    nc.wait().unwrap();
    node.finish();
}

fn read_line(from: &mut impl std::io::BufRead) -> String {
    let mut line = String::new();
    assert_ne!(from.read_line(&mut line).unwrap(), 0, "nc has seen the end");
    line.trim_end().to_owned()
}

/// Eight clients, each with one connection that it never opens again: any reset, refusal or cut answer is an error of theirs.
#[test]
fn a_client_with_keep_alive_does_not_notice_kills() {
    const CLIENTS: u64 = 8;
    const ROUNDS: u64 = 1500;
    let node = node();
    let port = serve(&node);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let kills = thread::scope(|scope| {
        let load = scope.spawn(move || {
            let clients = async {
                let clients: Vec<_> = (0..CLIENTS)
                    .map(|client| tokio::task::spawn_local(converse(port, client, ROUNDS)))
                    .collect();
                for client in clients {
                    client.await.unwrap();
                }
                let (mut sender, _connection) = connect(port).await;
                let counter = ask(&mut sender, "GET", "/counter", "").await;
                assert_eq!(counter, (200, format!("{}\n", CLIENTS * ROUNDS)));
            };
            tokio::task::LocalSet::new().block_on(&runtime, clients);
        });
        let kills = kill_until(&node, NAME, || load.is_finished());
        load.join().unwrap();
        kills
    });
    println!("{kills} kills");
    assert!(kills > 2, "the kills came into the requests");
    node.finish();
}

async fn converse(port: u16, client: u64, rounds: u64) {
    let (mut sender, connection) = connect(port).await;
    let mut last = 0;
    for round in 0..rounds {
        let note = format!("note {round} of {client}\n").repeat(1 + (round as usize % 97) * 20);
        let path = format!("/notes/{client}");
        let expected = if round == 0 { 201 } else { 200 };
        assert_eq!(ask(&mut sender, "PUT", &path, &note).await.0, expected);
        assert_eq!(ask(&mut sender, "GET", &path, "").await, (200, note));
        let (status, counter) = ask(&mut sender, "POST", "/counter", "").await;
        let counter: u64 = counter.trim().parse().unwrap();
        assert!(status == 200 && counter > last, "{counter} after {last}");
        last = counter;
    }
    drop(sender);
    connection.await.unwrap().unwrap();
}

type Sender = hyper::client::conn::http1::SendRequest<Full<Bytes>>;
type Connection = tokio::task::JoinHandle<hyper::Result<()>>;

async fn connect(port: u16) -> (Sender, Connection) {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    (sender, tokio::task::spawn_local(connection))
}

async fn ask(sender: &mut Sender, method: &str, path: &str, body: &str) -> (u16, String) {
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("Host", "localhost")
        .body(Full::from(Bytes::from(body.to_owned())))
        .unwrap();
    sender.ready().await.unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}
