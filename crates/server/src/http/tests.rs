//! HTTP without a daemon around it: on its own thread with real sockets, or over a pipe with a clock that the test moves.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustvault_protocol::Category;
use rustvault_storage::{MemoryStore, Options};
use rustvault_testkit::{PATIENCE, until};
use rustvault_users::{Credential, Rights, RightsRule, Secret, User, Users};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use super::connection::HttpConnection;
use super::open_connections::{MAX_HTTP_CONNECTIONS, REQUEST_LIMIT};
use super::*;
use crate::Phase;

/// HTTP on a port of loopback, and the life that it reports.
struct TestHttp {
    http: HttpServer,
    addr: SocketAddr,
    lifecycle: Lifecycle,
    identification: Identification,
}

impl TestHttp {
    /// Starts it without an engine, as it is during the recovery.
    fn start(users: Option<Users>) -> Self {
        let (config, lifecycle) = (
            ServerConfig { http_addrs: vec!["127.0.0.1:0".to_owned()], ..ServerConfig::default() },
            Lifecycle::default(),
        );
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let listeners = runtime.block_on(HttpListeners::bind(&config)).unwrap();
        let (addr, identification) =
            (listeners.addrs(false)[0], Identification::new(users, &config.tls, None));
        identification.logins.start().unwrap();
        let http = HttpServer::start(listeners, identification.clone(), lifecycle.clone(), config).unwrap();
        Self { http, addr, lifecycle, identification }
    }

    /// Starts it with an engine, as it is while clients are served.
    fn serving(users: Option<Users>) -> Self {
        let http = Self::start(users);
        let store = MemoryStore::new(Options::default()).unwrap();
        let engine = Engine::new(store, &ServerConfig::default()).with_http(Some(http.http.counters()));
        http.http.attach(Arc::new(engine));
        http.lifecycle.enter(Phase::Serving);
        http
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes on a new connection; returns all that comes back until its end.
    fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_ref()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Asks with a method and headers, for the only answer of a connection.
    fn ask(&self, method: &str, path: &str, headers: &str) -> HttpAnswer {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        HttpAnswer(self.exchange(request))
    }

    fn get(&self, path: &str) -> HttpAnswer {
        self.ask("GET", path, "")
    }

    fn counted(&self, path: &str, status: u16) -> u64 {
        let mut requests = self.http.state.counters.requests();
        requests.find(|(known, code, _)| (*known, *code) == (path, status)).map(|(.., count)| count).unwrap()
    }
}

/// An answer, as it came.
#[derive(Debug)]
struct HttpAnswer(String);

impl HttpAnswer {
    fn status(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{self:?}"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let (head, _) = self.0.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }

    #[track_caller]
    fn assert(&self, status: u16, body: &str) {
        assert!(self.status() == status && self.body().contains(body), "{self:?}");
    }
}

fn user(name: &str, secrets: &[&str], category: Option<Category>) -> User {
    let credential = |secret: &&str| Credential {
        label: (*secret).to_owned(),
        secret: Secret::of(secret.as_bytes()).unwrap(),
        expires: None,
    };
    let rule = |category| RightsRule {
        allows: true,
        categories: [category].into_iter().collect(),
        prefix: Vec::new(),
    };
    let rights = Rights::new(category.into_iter().map(rule).collect()).unwrap();
    User { name: name.to_owned(), credentials: secrets.iter().map(credential).collect(), rights }
}

#[test]
fn each_path_answers_get_and_head_and_says_what_to_do_about_anything_else() {
    let http = TestHttp::serving(None);
    let metrics = http.get("/metrics?name[]=x");
    metrics.assert(200, "# TYPE rustvault_connections");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(metrics.header("cache-control"), Some("no-store"));
    http.get("/livez").assert(200, "alive\n");
    http.get("/readyz").assert(200, "ready\n");
    let head = http.ask("HEAD", "/readyz", "");
    assert_eq!((head.status(), head.body(), head.header("content-length")), (200, "", Some("6")));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let refused = http.ask(method, "/metrics", "");
        refused.assert(405, "use GET or HEAD");
        assert_eq!(
            (refused.header("allow"), refused.0.to_lowercase().matches("\nallow:").count()),
            (Some("GET, HEAD"), 1)
        );
    }
    until("they are counted", || http.counted("/metrics", 405) == 6 && http.counted("/readyz", 200) == 2);
}

#[test]
fn a_path_that_escapes_or_is_spelled_in_another_way_is_not_found_and_not_repeated() {
    let http = TestHttp::serving(None);
    let paths = [
        "/",
        "/metrics/",
        "//metrics",
        "/./metrics",
        "/../metrics",
        "/livez/../metrics",
        "/..%2fmetrics",
        "/%2e%2e/etc/passwd",
        "/%6detrics",
        "/metrics%00",
        "/METRICS",
        "/metrics;x",
        "/%0d%0aX:1",
        "*",
    ];
    for path in paths {
        let answer = http.get(path);
        assert_eq!(
            (answer.status(), answer.header("x-content-type-options")),
            (404, Some("nosniff")),
            "{path}"
        );
        assert_eq!(
            answer.body(),
            "there is nothing here: the paths are /metrics, /livez and /readyz\n",
            "{path}"
        );
    }
    until("they are counted", || http.counted("other", 404) == paths.len() as u64);
}

#[test]
fn another_host_on_loopback_is_refused_so_that_no_page_reads_what_is_here() {
    let http = TestHttp::serving(None);
    let ask = |head: &str| HttpAnswer(http.exchange(format!("{head}\r\nConnection: close\r\n\r\n")));
    for path in ["/metrics", "/livez", "/readyz", "/"] {
        let refused = ask(&format!("GET {path} HTTP/1.1\r\nHost: rebound.example:{}", http.addr.port()));
        refused.assert(421, "only requests for localhost or a loopback address are answered");
        ask(&format!("GET http://rebound.example{path} HTTP/1.1\r\nHost: localhost")).assert(421, "loopback");
    }
    ask("GET /livez HTTP/1.1").assert(400, "one header Host");
    ask("GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: rebound.example").assert(400, "one header Host");
    ask(&format!("GET /livez HTTP/1.1\r\nHost: {}", http.addr)).assert(200, "alive");
    ask("GET /livez HTTP/1.0").assert(200, "alive");
}

#[test]
fn a_body_is_refused_and_never_taken_for_the_next_request() {
    let http = TestHttp::serving(None);
    let hidden = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for framing in [
        format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len()),
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len()),
        format!("Content-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n{hidden}"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = http.exchange(format!("{method} /readyz HTTP/1.1\r\nHost: localhost\r\n{framing}"));
            assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        }
        let answer = http.exchange(format!("POST /readyz HTTP/1.1\r\nHost: localhost\r\n{framing}"));
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
    }
    assert_eq!(http.counted("/metrics", 200), 0);
    let empty = "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    HttpAnswer(http.exchange(empty)).assert(200, "alive");
}

#[test]
fn malformed_and_oversized_requests_are_answered_and_others_are_served() {
    let http = TestHttp::serving(None);
    let long = "x".repeat(20_000);
    for (request, status) in [
        ("PING\r\n\r\n".to_owned(), 400),
        ("*1\r\n$4\r\nPING\r\n".to_owned(), 400),
        ("GET /<script> HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 400),
        ("GET /livez HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
        (
            "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
                .to_owned(),
            400,
        ),
        (format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"), 431),
        (format!("GET /livez HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(100)), 431),
    ] {
        let answer = HttpAnswer(http.exchange(&request));
        assert_eq!(answer.status(), status, "{request:.60}");
    }
    let answer = HttpAnswer(http.exchange(format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    assert!([414, 431].contains(&answer.status()), "{answer:?}");
    http.get("/livez").assert(200, "alive");
    until("they are counted", || http.counted("other", 400) == 5 && http.counted("other", 431) == 3);
}

#[test]
fn readiness_follows_the_life_of_the_server_and_the_process_is_alive_throughout() {
    let http = TestHttp::start(None);
    http.get("/readyz").assert(503, "not ready: the log is being recovered: 0% is read");
    http.get("/livez").assert(200, "alive");
    http.get("/metrics").assert(200, "");
    let engine = Engine::new(MemoryStore::new(Options::default()).unwrap(), &ServerConfig::default());
    http.http.attach(Arc::new(engine));
    http.lifecycle.enter(Phase::Serving);
    http.get("/readyz").assert(200, "ready");
    http.lifecycle.enter(Phase::Stopping { has_failed: true });
    http.get("/readyz").assert(503, "not ready: the log has failed");
    http.get("/metrics").assert(200, "# TYPE rustvault_connections");
    http.lifecycle.enter(Phase::Stopping { has_failed: false });
    http.get("/readyz").assert(503, "not ready: the server is stopping");
    http.get("/livez").assert(200, "alive");
}

#[test]
fn with_users_the_metrics_need_the_right_and_the_probes_need_nothing() {
    let users = Users::new([
        user("watcher", &["the password", "rv_watcher"], Some(Category::Metrics)),
        user("reader", &["rv_reader"], Some(Category::Read)),
    ]);
    let http = TestHttp::serving(Some(users.unwrap()));
    let ask =
        |authorization: String| http.ask("GET", "/metrics", &format!("Authorization: {authorization}\r\n"));
    let basic = |pair: &str| ask(format!("Basic {}", STANDARD.encode(pair)));
    let anonymous = http.get("/metrics");
    anonymous.assert(401, "this server has users");
    assert!(
        anonymous.0.contains("www-authenticate: Basic realm=")
            && anonymous.0.contains("www-authenticate: Bearer realm=")
    );
    for _ in 0..2 {
        basic("watcher:the password").assert(200, "# TYPE rustvault_connections");
        basic("watcher:rv_watcher").assert(200, "# TYPE rustvault_connections");
        ask("Bearer rv_watcher".to_owned()).assert(200, "# TYPE rustvault_connections");
    }
    basic("reader:rv_reader").assert(403, "lacks the right 'metrics'");
    ask("Bearer rv_reader".to_owned()).assert(403, "lacks the right 'metrics'");
    for wrong in ["watcher:wrong", "nobody:the password", "reader:rv_watcher", ":", "watcher:"] {
        basic(wrong).assert(401, "unknown user or wrong password");
    }
    for wrong in ["Bearer rv_x", "Bearer the password", "Bearer watcher:rv_watcher"] {
        ask(wrong.to_owned()).assert(401, "unknown or expired token");
    }
    for malformed in ["Basic !", "Digest x", "Basic", "Bearer rv_watcher\r\nAuthorization: Bearer rv_watcher"]
    {
        ask(malformed.to_owned()).assert(401, "the header Authorization is not understood");
    }
    for probe in ["/livez", "/readyz"] {
        http.get(probe).assert(200, "");
    }
    // Whoever is removed has no access from the next request on, also on an open connection.
    http.identification.access.replace(Some(Arc::new(Users::new([user("other", &[], None)]).unwrap())));
    ask("Bearer rv_watcher".to_owned()).assert(401, "unknown or expired token");
    http.identification.access.replace(None);
    http.get("/metrics").assert(200, "");
}

#[test]
fn who_guesses_passwords_is_slowed_down_and_not_the_others() {
    let users = Users::new([user("watcher", &["the password", "rv_watcher"], Some(Category::Metrics))]);
    let http = TestHttp::serving(Some(users.unwrap()));
    let basic = |pair: &str| {
        http.ask("GET", "/metrics", &format!("Authorization: Basic {}\r\n", STANDARD.encode(pair)))
    };
    let statuses: Vec<_> = (0..12).map(|number| basic(&format!("watcher:{number}")).status()).collect();
    assert_eq!(statuses[..10], [401; 10]);
    let refused = basic("watcher:the password");
    refused.assert(429, "too many failed logins from this address");
    assert_eq!(refused.header("retry-after"), Some("6"));
    // A token cannot be guessed, so it is never throttled.
    basic("watcher:rv_watcher").assert(200, "");
    http.get("/readyz").assert(200, "ready");
}

#[test]
fn a_hundred_scrapes_at_once_are_all_answered() {
    let http = TestHttp::serving(None);
    let streams: Vec<_> = (0..100).map(|_| http.connect()).collect();
    for mut stream in &streams {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    }
    for mut stream in streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        HttpAnswer(answer).assert(200, "# TYPE rustvault_connections");
    }
    until("all are closed", || http.http.state.counters.connections.get() == 0);
}

#[test]
fn clients_that_only_connect_or_never_read_give_way_to_others() {
    let http = TestHttp::serving(None);
    let scrapes = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2000);
    let idle: Vec<_> = (0..MAX_HTTP_CONNECTIONS)
        .map(|number| {
            let stream = http.connect();
            if number % 2 == 0 {
                // Its answers fill the buffers of both sockets.
                stream.set_nonblocking(true).unwrap();
                let _ = (&stream).write(scrapes.as_bytes());
            }
            stream
        })
        .collect();
    until("all are open", || http.http.state.counters.connections.get() == MAX_HTTP_CONNECTIONS as u64);
    until("one gives way", || {
        let mut stream = http.connect();
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // A refused connection may be reset, because what it sent is not read.
        let _ = stream.read_to_end(&mut answer);
        answer.starts_with(b"HTTP/1.1 200") || {
            assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 503"), "{}", answer.escape_ascii());
            false
        }
    });
    let counters = &http.http.state.counters;
    assert!(
        counters.timed_out_connections.get() > 0
            && counters.connections.get() <= MAX_HTTP_CONNECTIONS as u64 + 1
    );
    drop(idle);
    until("all are closed", || counters.connections.get() == 0);
}

#[test]
fn a_stop_ends_idle_connections_and_frees_the_engine() {
    let http = TestHttp::serving(None);
    let mut idle = http.connect();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).unwrap();
    let state = Arc::clone(&http.http.state);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(http.http.stop());
    idle.read_to_end(&mut Vec::new()).unwrap();
    assert!(TcpStream::connect(http.addr).is_err());
    assert!(runtime.block_on(state.scraper.metrics()).is_none());
    idle.shutdown(Shutdown::Both).ok();
}

/// A connection over a pipe, whose state nobody else has.
fn over_a_pipe() -> (DuplexStream, Arc<HttpState>, tokio::task::JoinHandle<Result<(), String>>) {
    let config = ServerConfig::default();
    let identification = Identification::new(None, &config.tls, None);
    let state = Arc::new(HttpState::new(identification, Lifecycle::default(), config));
    let addr = SocketAddr::from(([127, 0, 0, 1], 1));
    let place = state.connections.open(Instant::now()).unwrap();
    let connection = Arc::new(HttpConnection::new(addr, addr, false, place));
    let (client, transport) = duplex(1024);
    let serving = Arc::clone(&state);
    let task =
        tokio::spawn(async move { connection::serve_requests(transport, &connection, &serving).await });
    (client, state, task)
}

const LIVEZ_REQUEST: &[u8] = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_arrive_and_an_idle_connection_end_in_time() {
    for bytes in [&b""[..], b"GET /liv"] {
        let ((mut client, state, task), began) = (over_a_pipe(), Instant::now());
        client.write_all(bytes).await.unwrap();
        // A byte now and then gives no more time.
        for byte in b"ez HTTP/1.1" {
            tokio::time::sleep(Duration::from_secs(1)).await;
            client.write_all(if bytes.is_empty() { b"" } else { std::slice::from_ref(byte) }).await.unwrap();
        }
        task.await.unwrap().unwrap_err();
        assert_eq!(
            (began.elapsed().as_secs(), state.counters.timed_out_connections.get()),
            (REQUEST_LIMIT.as_secs(), 1)
        );
    }
    let (mut client, _state, task) = over_a_pipe();
    for _ in 0..5 {
        tokio::time::sleep(REQUEST_LIMIT - Duration::from_secs(1)).await;
        client.write_all(LIVEZ_REQUEST).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nalive\n") {
            answer.push(client.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", answer.escape_ascii());
    }
    let began = Instant::now();
    task.await.unwrap().unwrap_err();
    assert_eq!(began.elapsed().as_secs(), REQUEST_LIMIT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_scraper_that_never_reads_is_disconnected_and_holds_little_meanwhile() {
    let (mut client, state, task) = over_a_pipe();
    let began = Instant::now();
    let sent = tokio::time::timeout(REQUEST_LIMIT / 2, async {
        let mut sent = 0_u64;
        while client.write_all(LIVEZ_REQUEST).await.is_ok() {
            sent += 1;
        }
        sent
    });
    assert!(sent.await.is_err(), "no more is read once the answers do not leave");
    let answered = state.counters.requests().map(|(.., count)| count).sum::<u64>();
    assert!(answered < 1000, "{answered} answers wait");
    task.await.unwrap().unwrap_err();
    assert_eq!(began.elapsed().as_secs(), REQUEST_LIMIT.as_secs());
}
