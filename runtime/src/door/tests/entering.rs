//! Who comes in, at every route: what is refused changes nothing and reads nothing.

use std::net::TcpListener;

use super::*;
use crate::config::Config;
use crate::door::routes::{need, routes};

const BODY: &str = r#"{"do":"rollback","task":"gate"}"#;

/// Every route, as a request for it.
fn every() -> Vec<(String, &'static str)> {
    let filled = |path: &str| {
        path.replace("{task}", "gate").replace("{name}", "door").replace("{id}", "0000").replace("{file}", "index.html")
    };
    routes()
        .into_iter()
        .map(|(method, path, _)| (format!("{} {}", method.to_uppercase(), filled(path)), path))
        .collect()
}

/// Asks a route with these header lines; the status and the error's code. A stream is not read to its end.
fn knock(opened: &Opened, request: &str, more: &str) -> (u16, Option<String>) {
    let (mut stream, head) = (opened.connect(), format!("{request}\r\n{more}\r\nContent-Type: application/json"));
    send(&mut stream, &head, opened.address, if request.starts_with("POST") { BODY.as_bytes() } else { b"" });
    if request.ends_with("/events") {
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        if first.ends_with(b"200") {
            return (200, None);
        }
        let mut rest = first.to_vec();
        stream.read_to_end(&mut rest).unwrap();
        let status = std::str::from_utf8(&first[9..]).unwrap().parse().unwrap();
        let code = String::from_utf8(rest)
            .unwrap()
            .split("\"code\":\"")
            .nth(1)
            .map(|c| c.split('"').next().unwrap().to_owned());
        return (status, code);
    }
    let answer = Answer::read(&mut stream);
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
    (answer.status, json.and_then(|json| Some(json["error"]["code"].as_str()?.to_owned())))
}

#[test]
fn no_route_lacks_the_guard() {
    let token = Token::random().unwrap();
    let opened = Opened::new(Limits::default(), Some(token.clone()));
    let bearer = format!("Authorization: Bearer {}", token.reveal());
    let forbidden = (403, Some("forbidden".to_owned()));
    let unauthorized = (401, Some("unauthorized".to_owned()));
    let mut asked = every();
    asked.push(("GET /api/v1/nothing".to_owned(), "/api/v1/nothing"));
    asked.push(("DELETE /api/v1/command".to_owned(), "/api/v1/command"));
    for (request, path) in asked {
        let more = |more: &str| knock(&opened, &request, &format!("{bearer}\r\n{more}"));
        assert_eq!(more("Host: evil.example"), forbidden, "{request}");
        let page = request.starts_with("GET") && need(path) == guard::Need::Nothing || path == "/{file}";
        for foreign in
            ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"]
        {
            if page {
                assert_eq!(more(foreign).0, 200, "{request}: the page may be opened from anywhere");
            } else {
                assert_eq!(more(foreign), forbidden, "{request} {foreign}");
            }
        }
        if !page {
            let away = "X-Forwarded-For: 203.0.113.9";
            assert_eq!(knock(&opened, &request, away), unauthorized, "{request}");
            assert_eq!(knock(&opened, &request, &format!("{away}\r\nCookie: acclimate-session=x")), unauthorized);
            assert_ne!(knock(&opened, &request, &format!("{away}\r\n{bearer}")).0, 401, "{request}");
        }
    }
    // Of all those only what had the token was done.
    let asked = opened.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    opened.close();
}

#[test]
fn a_refused_command_is_not_carried_out_and_a_good_one_says_who_asked() {
    let token = Token::random().unwrap();
    let opened = Opened::new(Limits::default(), Some(token));
    for (more, status) in [
        ("\r\nHost: rebound.example", 403),
        ("\r\nOrigin: http://evil.example", 403),
        ("\r\nSec-Fetch-Site: cross-site", 403),
        ("\r\nHost: proxy.example.com", 401),
        ("\r\nX-Forwarded-For: 203.0.113.9", 401),
        ("\r\nAuthorization: Bearer wrong", 401),
    ] {
        assert_eq!(opened.command(more, BODY).status, status, "{more}");
    }
    assert_eq!(opened.asked(), []);
    assert_eq!(opened.command("", BODY).json()["done"], "generation 2 is in service");
    let origin = format!("\r\nOrigin: http://{}\r\nSec-Fetch-Site: same-origin", opened.address);
    assert_eq!(opened.command(&origin, BODY).status, 200);
    let who: Vec<String> = opened.asked().into_iter().map(|(_, who)| who).collect();
    assert_eq!(who, ["api", "page"]);
    opened.close();
}

#[test]
fn refusals_have_one_shape_and_the_status_of_their_code() {
    let opened = Opened::new(Limits::default(), None);
    let wrong = |body: &str| opened.command("", body);
    assert!(wrong(r#"{"do":"rollback","task":"x"}"#).refused(404, "not_found").contains("no task `x`"));
    wrong(r#"{"do":"undo","task":"gate"}"#).refused(409, "conflict");
    wrong(r#"{"do":"adapt","task":"broken"}"#).refused(500, "failed");
    wrong(r#"{"do":"classify","task":"broken"}"#).refused(503, "unavailable");
    wrong(r#"{"do":"adapt","task":"gate"}"#).refused(400, "invalid");
    for body in ["", "{", "[]", r#"{"do":"explode"}"#, r#"{"do":"undo","task":"gate","now":true}"#, "\u{0}"] {
        wrong(body).refused(400, "invalid");
    }
    opened.ask("POST /api/v1/command\r\nContent-Type: text/plain", BODY.as_bytes()).refused(400, "invalid");
    opened.get("/api/v1/nothing").refused(404, "not_found");
    opened.get("/../../etc/passwd").refused(404, "not_found");
    let method = opened.ask("DELETE /api/v1/command", b"");
    method.refused(405, "invalid");
    assert_eq!(method.header("allow"), Some("post"));
    opened.get("/api/v1/tasks/gate/samples?filter=pretty").refused(400, "invalid");
    opened.get("/api/v1/tasks/%ff/heads").refused(400, "invalid");
    opened.get("/api/v1/sources/%2e%2e/frame").refused(404, "not_found");
    opened.close();
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let opened = Opened::new(Limits { picture: 1000, ..Limits::default() }, None);
    for path in ["command", "sources/door/frame"] {
        let announced = format!("POST /api/v1/{path}\r\nContent-Type: application/json\r\nContent-Length: 99999999");
        opened.ask(&announced, b"{").refused(413, "too_large");
    }
    let endless = "POST /api/v1/sources/door/frame\r\nTransfer-Encoding: chunked";
    let mut stream = opened.connect();
    send(&mut stream, endless, opened.address, b"");
    stream.write_all(format!("7d0\r\n{}\r\n", "x".repeat(2000)).as_bytes()).unwrap();
    Answer::read(&mut stream).refused(413, "too_large");
    assert_eq!(opened.handed.lock().unwrap().len(), 0);
    opened.close();
}

#[test]
fn the_token_is_traded_for_a_cookie_that_works_below_a_prefix_and_guessing_is_slowed() {
    let token = Token::random().unwrap();
    let opened = Opened::new(Limits::default(), Some(token.clone()));
    let proxy = proxy("/site/press-7", opened.address);
    let through = |head: &str, body: &[u8]| {
        let mut stream = TcpStream::connect(proxy).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        send(&mut stream, &format!("{head}\r\nHost: proxy.example.com"), proxy, body);
        Answer::read(&mut stream)
    };
    assert_eq!(through("GET /site/press-7/", b"").status, 200, "the page comes without a token");
    let message = through("GET /site/press-7/api/v1/status", b"").refused(401, "unauthorized");
    assert!(message.contains("acclimate page --lan"), "{message}");

    let login = format!(
        "POST /site/press-7/api/v1/session\r\nOrigin: https://proxy.example.com\r\nAuthorization: Bearer {}",
        token.reveal()
    );
    let answer = through(&login, b"{}");
    assert_eq!(answer.status, 204);
    let cookie = answer.header("set-cookie").unwrap();
    for word in ["httponly", "samesite=strict", "secure", "max-age="] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("path") && !cookie.contains("domain"), "{cookie}");
    assert!(!cookie.contains(token.reveal()), "{cookie}");
    let session = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(through(&format!("GET /site/press-7/api/v1/status\r\n{session}"), b"").json()["device"], "press-7");
    let document = through(&format!("GET /site/press-7/api/openapi.json\r\n{session}"), b"").json();
    assert_eq!(document["servers"][0]["url"], "..");

    // Without https, no `Secure`: a browser would not send it back.
    let plain = format!("POST /api/v1/session\r\nAuthorization: Bearer {}", token.reveal());
    assert!(!opened.ask(&plain, b"").header("set-cookie").unwrap().contains("secure"));
    opened.ask("POST /api/v1/session", b"").refused(401, "unauthorized");

    for _ in 0..10 {
        opened.ask("POST /api/v1/session\r\nAuthorization: Bearer guess", b"").refused(401, "unauthorized");
    }
    let answer = opened.ask(&plain, b"");
    answer.refused(429, "unavailable");
    assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() <= 60);
    assert_eq!(
        through(&format!("GET /site/press-7/api/v1/status\r\n{session}"), b"").status,
        200,
        "who is in stays in"
    );
    opened.close();
}

#[test]
fn every_answer_carries_the_headers_that_keep_other_sites_out() {
    let opened = Opened::new(Limits::default(), None);
    for path in ["/", "/api/v1/status", "/nothing", "/metrics"] {
        let answer = opened.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        assert!(answer.header("access-control-allow-origin").is_none());
        assert!(answer.header("cache-control").is_some());
    }
    opened.close();
}

#[test]
fn beyond_loopback_the_door_stays_shut_without_a_token_and_a_taken_address_is_said() {
    let opened = Opened::new(Limits::default(), None);
    let options = |listen| Options { listen, token: None, names: Vec::new(), limits: Limits::default() };
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = bind(options(everywhere)).err().unwrap();
    assert!(error.to_string().contains("acclimate page --lan"), "{error}");
    let error = bind(options(opened.address)).err().unwrap();
    assert!(matches!(error, DoorError::Bind { listen, .. } if listen == opened.address), "{error}");
    opened.close();
}

#[test]
fn the_options_come_from_the_configuration_and_the_token_that_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let http = |text: &str| Config::parse(&format!("[http]\n{text}")).unwrap().http;
    let plain = Options::new(&http(""), dir.path()).unwrap();
    assert_eq!((plain.listen, plain.token), (LISTEN, None));
    let token = Token::random().unwrap();
    token.write_new(&token_file(dir.path())).unwrap();
    let lan = Options::new(&http("listen = \"127.0.0.1:7071\"\nnames = [\"press.example:8443\"]"), dir.path()).unwrap();
    assert_eq!((lan.listen.port(), lan.token), (7071, Some(token)));
    assert!(matches!(Options::new(&http("names = [\"https://x\"]"), dir.path()), Err(DoorError::Name(_))));
    let missing = http("token_file = \"/nowhere/token\"");
    assert!(matches!(Options::new(&missing, dir.path()), Err(DoorError::Token(_))));
}

/// A reverse proxy: takes a prefix off, tells where the request came from.
fn proxy(prefix: &'static str, door: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap().replacen(&format!(" {prefix}/"), " /", 1);
                let head = head.replacen("\r\n", "\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n", 1);
                let mut server = TcpStream::connect(door).unwrap();
                server.write_all(head.as_bytes()).unwrap();
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let _ = std::io::copy(&mut server, &mut client);
                let _ = client.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    address
}
