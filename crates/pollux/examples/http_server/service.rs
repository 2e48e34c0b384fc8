//! The service: requests come whole or not at all, and each is handled in one turn with its answer.

use pollux::{Cell, Event, Input, Map, Pair, ReceiveDepth, Result};

/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// Bytes of a request line with all headers.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a note.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Serves until the pair is stopped.
pub(crate) fn serve(address: &str) -> Result<()> {
    let pair = Pair::join()?;
    let state = State { counter: pair.cell("counter")?, notes: pair.map("notes")? };
    // After a takeover this is the same socket, and the connections go on at the very byte.
    let listener = pair.listen(address)?;
    let mut receive = pair.receive(ReceiveDepth::ONE)?;
    while let Some(event) = receive.event()? {
        match event {
            Event::Input(mut input) => state.answer_all(&mut input)?,
            // Over $RECEIVE: where it listens, for those who let the system choose a port.
            Event::Request(request) => request.reply(listener.local_address()?.to_string())?,
            _ => {}
        }
    }
    Ok(())
}

/// What the pair keeps.
struct State {
    counter: Cell<u64>,
    notes: Map<String, Vec<u8>>,
}

/// What is said to one request.
struct Answer {
    status: &'static str,
    body: Vec<u8>,
    close: bool,
}

impl Answer {
    fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: "200 OK", body: body.into(), close: false }
    }

    fn refuse(status: &'static str) -> Self {
        Self { status, body: format!("{status}\n").into_bytes(), close: false }
    }

    /// What follows in the stream cannot be understood.
    fn give_up(status: &'static str) -> Self {
        Self { close: true, ..Self::refuse(status) }
    }
}

impl State {
    /// Answers the requests that are whole; the rest stays in the socket, where a takeover finds it.
    fn answer_all(&self, input: &mut Input) -> Result<()> {
        loop {
            let (bytes, output) = input.split();
            let Some((length, head_only, answer)) = self.answer_first(bytes)? else { return Ok(()) };
            let Answer { status, body, close } = answer;
            let connection = if close { "close" } else { "keep-alive" };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: \
                 {connection}\r\n\r\n",
                body.len()
            );
            output.extend_from_slice(head.as_bytes());
            if !head_only {
                output.extend_from_slice(&body);
            }
            input.consume(length);
            if close {
                input.close();
                return Ok(());
            }
        }
    }

    /// The bytes of the first request, whether its answer has no body, and the answer; none while it is not whole.
    fn answer_first(&self, bytes: &[u8]) -> Result<Option<(usize, bool, Answer)>> {
        let unreadable = |status| Ok(Some((bytes.len(), false, Answer::give_up(status))));
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let head = match request.parse(bytes) {
            Ok(httparse::Status::Complete(head)) => head,
            Ok(httparse::Status::Partial) if bytes.len() <= HEAD_BYTES_MAX => return Ok(None),
            Ok(httparse::Status::Partial) => return unreadable("431 Request Header Fields Too Large"),
            Err(_) => return unreadable("400 Bad Request"),
        };
        let header = |name: &str| {
            request
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name))
                .map(|header| header.value)
        };
        if header("Transfer-Encoding").is_some() {
            return unreadable("411 Length Required");
        }
        let length = match header("Content-Length")
            .map(|value| std::str::from_utf8(value).unwrap_or("").parse::<usize>())
        {
            None => 0,
            Some(Ok(length)) if length <= BODY_BYTES_MAX => length,
            Some(Ok(_)) => return unreadable("413 Content Too Large"),
            Some(Err(_)) => return unreadable("400 Bad Request"),
        };
        // A client that asks first sends its body when it has waited in vain, or begins again without the question.
        if header("Expect").is_some() && bytes.len() < head + length {
            return Ok(Some((head, false, Answer::give_up("417 Expectation Failed"))));
        }
        let Some(body) = bytes.get(head..head + length) else { return Ok(None) };
        let (method, path) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        let path = path.split('?').next().unwrap_or_default();
        let mut answer = self.handle(method, path, body)?;
        let wishes = header("Connection").unwrap_or_default();
        answer.close |= wishes.eq_ignore_ascii_case(b"close")
            || (request.version == Some(0) && !wishes.eq_ignore_ascii_case(b"keep-alive"));
        Ok(Some((head + length, method == "HEAD", answer)))
    }

    fn handle(&self, method: &str, path: &str, body: &[u8]) -> Result<Answer> {
        let note = path.strip_prefix("/notes/").filter(|name| !name.is_empty());
        Ok(match (method, path, note) {
            ("GET" | "HEAD", "/", _) => {
                let (counter, notes) = (self.counter.get()?.unwrap_or(0), self.notes.len());
                Answer::ok(format!("counter {counter}, notes {notes}\n"))
            }
            ("GET" | "HEAD", "/counter", _) => Answer::ok(format!("{}\n", self.counter.get()?.unwrap_or(0))),
            ("POST", "/counter", _) => {
                let counter = self.counter.update(|counter| counter.unwrap_or(0) + 1)?;
                Answer::ok(format!("{counter}\n"))
            }
            ("GET" | "HEAD", _, Some(name)) => match self.notes.get(&name.to_owned())? {
                Some(note) => Answer::ok(note),
                None => Answer::refuse("404 Not Found"),
            },
            ("PUT", _, Some(name)) => match self.notes.insert(name.to_owned(), body.to_vec())? {
                Some(_) => Answer::ok("changed\n"),
                None => Answer { status: "201 Created", ..Answer::ok("created\n") },
            },
            ("DELETE", _, Some(name)) => match self.notes.remove(&name.to_owned())? {
                Some(_) => Answer::ok("removed\n"),
                None => Answer::refuse("404 Not Found"),
            },
            (_, "/" | "/counter", _) | (_, _, Some(_)) => Answer::refuse("405 Method Not Allowed"),
            _ => Answer::refuse("404 Not Found"),
        })
    }
}
