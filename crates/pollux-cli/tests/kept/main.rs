//! Programs that know nothing of Pollux under `pollux run --keep-sockets --restart`: real servers, real kills, and clients
//! that connect all the time. Not one connection attempt may be refused.

// Its functions are all tests, though not all are marked so.
#![allow(clippy::unwrap_used)]

mod clients;
mod place;

use clients::{Clients, To, ask};
use place::{Place, kill_9};
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const NAME: &str = "$SRV";

/// A port that nobody has in this moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// False, with a line that says so, if the machine has no such program.
fn is_there(program: &str, package: &str) -> bool {
    let found = Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        println!("skipped: {program} is not installed (package {package})");
    }
    found
}

/// The server in C, linked statically: nothing of it can be replaced from outside.
fn server(place: &Place) -> Option<PathBuf> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/kept/server.c");
    let program = place.path().join("server");
    let built = Command::new("gcc").args(["-static", "-O1", "-o"]).arg(&program).arg(source).status();
    match built {
        Ok(status) if status.success() => Some(program),
        _ => {
            println!("skipped: gcc -static does not work (packages gcc, libc6-dev)");
            None
        }
    }
}

fn run(place: &Place, options: &[&str], program: &[&str]) {
    let words: Vec<&str> = ["run", "--name", NAME].iter().chain(options).chain(program).copied().collect();
    place.done(&words);
}

/// The clients have been answered again since, so the server serves.
fn wait_served(place: &Place, clients: &Clients) {
    let before = clients.answered();
    place.wait_until("clients are answered again", || clients.answered() > before + 10);
}

/// Everything that can die dies, one after the other; each time the clients are served again before the next.
fn survives_all_kills(place: &Place, to: &To) {
    place.wait_until("the server answers", || matches!(ask(to), Ok(Some(_))));
    let clients = Clients::start(to);
    for _ in 0..2 {
        wait_served(place, &clients);
        let pid = place.whole(NAME);
        kill_9(pid);
        place.wait_until("it is started again", || place.program(NAME).is_some_and(|new| new != pid));

        wait_served(place, &clients);
        let pid = place.whole(NAME);
        let keeper = place.keeper(NAME).unwrap()["pid"].as_i64().unwrap();
        kill_9(i32::try_from(keeper).unwrap());
        place.wait_until("it is started again", || place.program(NAME).is_some_and(|new| new != pid));

        wait_served(place, &clients);
        let pid = place.whole(NAME);
        kill_9(place.daemon_of(NAME));
        place.wait_until("it is started again", || place.program(NAME).is_some_and(|new| new != pid));
    }
    wait_served(place, &clients);
    let (refused, answered, lost) = clients.finish();
    println!("{answered} answered, {lost} lost with the process that served them, {refused} refused");
    assert_eq!(refused, 0, "{}", place.logs());
    place.whole(NAME);
    assert_eq!(place.keeper(NAME).unwrap()["kept"]["restarts"], 6, "{:?}", place.events(NAME));
}

#[test]
fn pythons_http_server_is_never_refused() {
    if !is_there("python3", "python3") {
        return;
    }
    let place = Place::new();
    let port = free_port();
    let words = ["python3", "-m", "http.server", &port.to_string(), "--bind", "127.0.0.1"];
    run(&place, &["--keep-sockets", "--restart"], &words);
    survives_all_kills(&place, &To::Tcp(port, "GET / HTTP/1.0\r\n\r\n"));
}

#[test]
fn redis_is_never_refused() {
    if !is_there("redis-server", "redis-server") {
        return;
    }
    let place = Place::new();
    let port = free_port();
    let words = [
        "redis-server",
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ];
    run(&place, &["--keep-sockets", "--restart"], &words);
    survives_all_kills(&place, &To::Tcp(port, "PING\r\nQUIT\r\n"));
}

/// Also its workers, which are the ones that accept, must not outlive the run that they belong to.
#[test]
fn nginx_is_never_refused() {
    let nginx = ["nginx", "/usr/sbin/nginx"].into_iter().find(|path| is_there(path, "nginx-light"));
    let Some(nginx) = nginx else { return };
    let place = Place::new();
    let port = free_port();
    let directory = place.path().to_str().unwrap().to_owned();
    let configuration = format!(
        "daemon off;\nworker_processes 2;\npid {directory}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n\
         access_log off;\nclient_body_temp_path {directory}/b;\nproxy_temp_path {directory}/p;\n\
         fastcgi_temp_path {directory}/f;\nuwsgi_temp_path {directory}/u;\nscgi_temp_path {directory}/s;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ return 200 served; }} }}\n}}\n"
    );
    let file = place.path().join("nginx.conf");
    fs::write(&file, configuration).unwrap();
    run(
        &place,
        &["--keep-sockets", "--restart"],
        &[nginx, "-e", "stderr", "-p", &directory, "-c", file.to_str().unwrap()],
    );
    survives_all_kills(&place, &To::Tcp(port, "GET / HTTP/1.0\r\n\r\n"));
    place.wait_until("one master with two workers is left", || {
        let lines = Place::holders(port);
        let count = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
        (count("__keeper"), count("nginx: master"), count("nginx: worker"), lines.len()) == (2, 1, 2, 5)
    });
}

#[test]
fn a_static_program_is_never_refused() {
    let place = Place::new();
    let Some(program) = server(&place) else { return };
    let port = free_port();
    run(&place, &["--keep-sockets", "--restart"], &[program.to_str().unwrap(), "tcp", &port.to_string()]);
    survives_all_kills(&place, &To::Tcp(port, ""));
}

/// The other tests would show nothing if clients were never refused anyhow.
#[test]
fn without_kept_sockets_clients_are_refused() {
    let place = Place::new();
    let Some(program) = server(&place) else { return };
    let port = free_port();
    run(&place, &["--restart"], &[program.to_str().unwrap(), "tcp", &port.to_string()]);
    let to = To::Tcp(port, "");
    place.wait_until("the server answers", || matches!(ask(&to), Ok(Some(_))));
    let clients = Clients::start(&to);
    let pid = place.whole(NAME);
    kill_9(pid);
    place.wait_until("it is started again", || place.program(NAME).is_some_and(|new| new != pid));
    wait_served(&place, &clients);
    assert_ne!(clients.finish().0, 0);
}

/// Clients know the port that the kernel chose the first time.
#[test]
fn a_port_chosen_by_the_kernel_stays() {
    let place = Place::new();
    let Some(program) = server(&place) else { return };
    run(&place, &["--keep-sockets", "--restart"], &[program.to_str().unwrap(), "tcp", "0"]);
    let port = place.wait_for("it says its port", || place.said("port").first()?.parse().ok());
    survives_all_kills(&place, &To::Tcp(port, ""));
    assert_eq!(place.said("port"), vec![port.to_string(); 7]);
}

/// It removes the file before it binds, as most do: without the keeper's eye on that, clients would find no file.
#[test]
fn a_unix_socket_is_never_refused() {
    let place = Place::new();
    let Some(program) = server(&place) else { return };
    let path = place.path().join("socket");
    run(
        &place,
        &["--keep-sockets", "--restart"],
        &[program.to_str().unwrap(), "unix", path.to_str().unwrap()],
    );
    survives_all_kills(&place, &To::Unix(path));
}

/// Without seccomp: the descriptor is handed over as systemd does it.
#[test]
fn a_handed_over_socket_is_never_refused() {
    let place = Place::new();
    let Some(program) = server(&place) else { return };
    let port = free_port();
    run(
        &place,
        &["--restart", "--listen", &format!("127.0.0.1:{port}")],
        &[program.to_str().unwrap(), "fds"],
    );
    survives_all_kills(&place, &To::Tcp(port, ""));
    assert_eq!(place.said("name"), vec![format!("127.0.0.1_{port}"); 7]);
}

/// Workers with a socket each share one queue under the keeper, so none waits for a worker that is gone.
#[test]
fn workers_that_share_a_port_are_never_refused() {
    let place = Place::new();
    let Some(program) = server(&place) else { return };
    let port = free_port();
    run(&place, &["--keep-sockets", "--restart"], &[program.to_str().unwrap(), "shared", &port.to_string()]);
    survives_all_kills(&place, &To::Tcp(port, ""));
}

/// A keeper that gave the socket away twice would hide from a program that its port is taken.
#[test]
fn a_second_bind_fails_as_without_a_keeper() {
    let place = Place::new();
    let Some(program) = server(&place) else { return };
    let port = free_port();
    run(&place, &["--keep-sockets", "--restart"], &[program.to_str().unwrap(), "twice", &port.to_string()]);
    let in_use = rustix::io::Errno::ADDRINUSE.raw_os_error().to_string();
    place.wait_until("it says so", || place.said("second") == [in_use.as_str()]);
    let pid = place.whole(NAME);
    kill_9(pid);
    place.wait_until("it says so again", || place.said("second") == [in_use.as_str(), in_use.as_str()]);
}

/// What the program closes on purpose must refuse: a client that waits for ever is worse off than one that is told.
#[test]
fn a_closed_listener_refuses_again() {
    let place = Place::new();
    let Some(program) = server(&place) else { return };
    let port = free_port();
    run(&place, &["--keep-sockets", "--restart"], &[program.to_str().unwrap(), "closing", &port.to_string()]);
    place.wait_until("it closes its listener", || matches!(ask(&To::Tcp(port, "x")), Ok(Some(_))));
    let refused = |event: &(String, String)| event.0 == "listener" && event.1.contains("held no more");
    place.wait_until("it is held no more", || place.events(NAME).iter().any(refused));
    assert!(ask(&To::Tcp(port, "x")).is_err());
}

/// The old program must have ended before the new one runs, and gets its SIGTERM.
#[test]
fn an_exchange_of_roles_moves_the_program() {
    let place = Place::new();
    let Some(program) = server(&place) else { return };
    let port = free_port();
    run(&place, &["--keep-sockets", "--restart"], &[program.to_str().unwrap(), "tcp", &port.to_string()]);
    let to = To::Tcp(port, "");
    place.wait_until("the server answers", || matches!(ask(&to), Ok(Some(_))));
    let clients = Clients::start(&to);
    for _ in 0..3 {
        let pid = place.whole(NAME);
        let cpu = place.keeper(NAME).unwrap()["cpu"].clone();
        place.done(&["switch", NAME]);
        place.wait_until("it is started in the other CPU", || {
            place.program(NAME).is_some_and(|new| new != pid) && place.keeper(NAME).unwrap()["cpu"] != cpu
        });
        wait_served(&place, &clients);
    }
    assert_eq!(clients.finish().0, 0, "{}", place.logs());
    let servers =
        place.processes().into_iter().filter(|(_, line)| line.contains(" tcp ") && !line.contains("__"));
    assert_eq!(servers.count(), 1);
}

/// A program that crashes at once must neither fill the machine nor the log, and may be given up.
#[test]
fn a_crash_loop_slows_down_and_ends_with_the_programs_code() {
    let place = Place::new();
    let words = ["run", "--name", NAME, "--restart", "--restart-limit", "3", "--wait", "sh", "-c", "exit 3"];
    let text = place.fails(&words, 3);
    let pauses: Vec<&str> = text.lines().filter_map(|line| line.split("again in ").nth(1)).collect();
    assert_eq!(pauses, ["100 ms", "200 ms", "400 ms"], "{text}");
    assert!(text.contains("given up after 3 restarts in a row"), "{text}");
    let events = place.events(NAME);
    let count = |kind: &str| events.iter().filter(|event| event.0 == kind).count();
    assert_eq!((count("program-start"), count("program-end")), (4, 4), "{events:?}");

    // What ends well is not started again on failure only.
    place.done(&["run", "--name", NAME, "--restart=on-failure", "--wait", "true"]);
    let killed = ["run", "--name", NAME, "--restart=never", "--wait", "sh", "-c", "kill -9 $$"];
    place.fails(&killed, 137);
}

/// A stop is an order to the program: it gets SIGTERM, and what it leaves behind goes with it.
#[test]
fn a_stop_asks_the_program_first() {
    let place = Place::new();
    let script = "trap 'echo bye; exit 0' TERM; sleep 1000 & echo ready; wait";
    run(&place, &["--restart"], &["sh", "-c", script]);
    place.wait_until("it is ready", || !place.said("ready").is_empty());
    place.done(&["stop", NAME]);
    assert_eq!(place.said("bye").len(), 1, "{}", place.logs());
    let end = place.events(NAME).into_iter().rfind(|event| event.0 == "program-end").unwrap();
    assert!(end.1.contains("ended with code 0; it was asked to"), "{end:?}");
    let left = || place.processes().into_iter().filter(|(_, line)| line.contains("sleep 1000")).count();
    assert_eq!(left(), 0);

    // One that does not listen is killed when its time is over.
    run(&place, &["--restart"], &["sh", "-c", "trap '' TERM; echo deaf; sleep 1000; sleep 1000"]);
    place.wait_until("it runs", || !place.said("deaf").is_empty());
    place.done(&["stop", NAME]);
    assert_eq!(left(), 0);
    assert!(place.keeper(NAME).is_none());
}

/// Each error says what is wrong and what to do next, and leaves nothing behind.
#[test]
fn wrong_orders_are_refused_with_a_next_step() {
    let place = Place::new();
    let file = place.path().join("plain");
    fs::write(&file, "#!/no/such/interpreter\n").unwrap();
    let plain = file.to_str().unwrap();
    let words = |options: &[&'static str], program: &str| -> Vec<String> {
        let all = ["run", "--name", NAME].iter().chain(options).map(|word| (*word).to_owned());
        all.chain([program.to_owned()]).collect()
    };
    let fails = |options: &[&'static str], program: &str, code: i32| {
        let words = words(options, program);
        place.fails(&words.iter().map(String::as_str).collect::<Vec<_>>(), code)
    };
    let text = fails(&["--restart"], "no-such-program", 1);
    assert!(text.contains("no program no-such-program in PATH") && text.contains("next: "), "{text}");
    let text = fails(&["--restart"], plain, 1);
    assert!(text.contains("may not be executed") && text.contains("chmod +x"), "{text}");
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    let text = fails(&["--restart", "--keep-sockets"], plain, 1);
    assert!(text.contains("No such file or directory"), "{text}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = place.fails(&["run", "--name", NAME, "--listen", &address, "sleep", "1000"], 1);
    assert!(text.contains(&format!("cannot listen on {address}: Address already in use")), "{text}");
    assert!(text.contains("next: end the program that has it"), "{text}");
    for wrong in ["nonsense", "127.0.0.1", "127.0.0.1:99999", "localhost:80", ""] {
        let text = place.fails(&["run", "--listen", wrong, "true"], 2);
        assert!(text.contains("IP:PORT"), "{wrong}: {text}");
    }
    let text = place.fails(&["run", "--restart=often", "true"], 2);
    assert!(text.contains("choose always, on-failure or never"), "{text}");
    assert!(place.keeper(NAME).is_none());
}
