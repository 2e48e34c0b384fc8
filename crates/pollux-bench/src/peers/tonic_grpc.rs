//! gRPC with tonic 0.14: a unary call over a unix socket, without a second copy on either side.
//!
//! What is compared: 64 bytes to a server that sends them back. Both ends are tonic on tokio's current-thread runtime, its fastest
//! for one connection, and carry the bytes as they are, without a message format around them. With 64 requesters each
//! has a channel of its own, as each of Pollux' has an open, and all are in one thread. The server serves HTTP/2 with hyper, as
//! tonic's own server does, without what that puts around it. The scheduler places both.

use crate::arguments::Plan;
use crate::load::{REQUEST_BYTES_MIN, Requester, Run, fill};
use crate::node::Bench;
use crate::numbers::Samples;
use crate::peers::home::{Home, Store};
use crate::peers::served::Served;
use crate::report::Row;
use anyhow::{Context, Result, ensure};
use bytes::{Buf, BufMut};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::env;
use std::future::{Ready, ready};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::UnaryService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

const METHOD: &str = "/bench.Echo/Call";

/// Measures one requester and many.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let home = Home::new(Store::Memory)?;
    let path = home.path("socket");
    let program = env::current_exe().context("find this program")?;
    let mut server = home.start(&program, &["peer", "grpc-server", &path.display().to_string()])?;
    server.wait_until("answers", || Callers::connect(1, &path))?;
    let taken = Served::echo(bench)?;
    let taken =
        taken.compare(plan, (super::GRPC_NAME, &[server.pid()]), |count| Callers::connect(count, &path))?;
    Ok(taken.messages())
}

fn runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("make a runtime")
}

/// The requesters: a task and a channel for each.
struct Callers {
    runtime: Runtime,
    channels: Vec<Channel>,
}

impl Callers {
    fn connect(count: usize, path: &Path) -> Result<Self> {
        let runtime = runtime()?;
        let channels = (0..count).map(|_| runtime.block_on(channel(path.to_path_buf())));
        let channels = channels.collect::<Result<_>>()?;
        Ok(Self { runtime, channels })
    }
}

impl Requester for Callers {
    fn run(&mut self, bytes: usize, outstanding: usize, time: Duration) -> Result<Run> {
        ensure!(outstanding == 1, "each requester waits for its reply");
        let begin = Instant::now();
        let start = |channel: &Channel| self.runtime.spawn(call_often(channel.clone(), bytes, begin + time));
        let tasks: Vec<_> = self.channels.iter().map(start).collect();
        let mut run = Run::default();
        for task in tasks {
            run.latencies.append(&self.runtime.block_on(task).context("a requester has ended")??);
        }
        run.elapsed = begin.elapsed();
        Ok(run)
    }
}

async fn channel(path: PathBuf) -> Result<Channel> {
    let connect = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    // The name is not used: the socket is.
    let endpoint = Endpoint::from_static("http://localhost");
    endpoint.connect_with_connector(connect).await.context("connect to the gRPC server")
}

async fn call_often(channel: Channel, bytes: usize, end: Instant) -> Result<Samples> {
    let mut client = tonic::client::Grpc::new(channel);
    let mut samples = Samples::default();
    loop {
        let started = Instant::now();
        let mut payload = vec![0; bytes.max(REQUEST_BYTES_MIN)];
        fill(&mut payload, samples.len() as u32);
        client.ready().await.context("wait for the channel")?;
        let path = http::uri::PathAndQuery::from_static(METHOD);
        let reply = client.unary(Request::new(payload), path, Plain).await.context("call the server")?;
        ensure!(reply.get_ref().len() == bytes, "a reply of the wrong length");
        samples.add(started.elapsed());
        if Instant::now() >= end {
            return Ok(samples);
        }
    }
}

/// The server.
pub(crate) fn serve(path: &str) -> Result<()> {
    runtime()?.block_on(async {
        let listener = UnixListener::bind(path).with_context(|| format!("listen on {path}"))?;
        loop {
            let (stream, _) = listener.accept().await.context("take a connection")?;
            let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async {
                let reply = tonic::server::Grpc::new(Plain).unary(Echo, request).await;
                Ok::<_, Infallible>(reply)
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // A requester that goes away is not the server's trouble.
            tokio::spawn(async move {
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

struct Echo;

impl UnaryService<Vec<u8>> for Echo {
    type Response = Vec<u8>;
    type Future = Ready<Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}

/// Bytes as they are.
#[derive(Clone, Copy)]
struct Plain;

impl Codec for Plain {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Plain;
    type Decoder = Plain;

    fn encoder(&mut self) -> Plain {
        Plain
    }

    fn decoder(&mut self) -> Plain {
        Plain
    }
}

impl Encoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, arrived: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; arrived.remaining()];
        arrived.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}
