//! Connections: slow ones, many of them, none that keeps a good one out.

use super::*;

/// A connection on which the head of a request has begun and does not end.
fn slow(opened: &Opened) -> TcpStream {
    let mut stream = opened.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
    stream
}

#[test]
fn two_hundred_slow_connections_do_not_keep_a_good_one_out() {
    let opened = Opened::new(Limits { connections: 32, ..Limits::default() }, None);
    let mut slow: Vec<TcpStream> = (0..200).map(|_| slow(&opened)).collect();
    for _ in 0..3 {
        assert_eq!(opened.get("/healthz").body, b"ok\n");
    }
    // The first have given up their places.
    let mut ends = 0;
    for stream in &mut slow[..160] {
        ends += usize::from(matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_)));
    }
    assert_eq!(ends, 160);
    opened.close();
}

#[test]
fn a_head_that_does_not_end_ends_the_connection() {
    let opened = Opened::new(Limits { head: Duration::from_millis(50), ..Limits::default() }, None);
    let mut rest = Vec::new();
    let _reset = slow(&opened).read_to_end(&mut rest);
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&rest));
    opened.close();
}

#[test]
fn a_body_that_does_not_end_is_given_up() {
    let opened = Opened::new(Limits { request: Duration::from_millis(50), ..Limits::default() }, None);
    let mut stream = opened.connect();
    send(&mut stream, "POST /api/v1/sources/door/frame\r\nContent-Length: 1000", opened.address, b"x");
    Answer::read(&mut stream).refused(503, "unavailable");
    opened.close();
}

#[test]
fn a_head_that_is_too_large_and_one_that_is_none_are_refused() {
    let opened = Opened::new(Limits::default(), None);
    let mut stream = opened.connect();
    let _reset =
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(100_000)).as_bytes());
    let mut rest = Vec::new();
    let _reset = stream.read_to_end(&mut rest);
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&rest));
    let mut stream = opened.connect();
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n").unwrap();
    let _reset = stream.read_to_end(&mut rest);
    assert_eq!(opened.get("/healthz").status, 200);
    opened.close();
}

#[test]
fn where_everybody_is_served_one_more_is_told_to_come_again() {
    let opened = Opened::new(Limits { connections: 1, ..Limits::default() }, None);
    let mut stream = opened.connect();
    send(&mut stream, "GET /api/v1/events", opened.address, b"");
    // Its first words: the stream is there, and its place is taken.
    stream.read_exact(&mut [0; 12]).unwrap();
    let mut other = opened.connect();
    let answer = Answer::read(&mut other);
    assert!(answer.refused(503, "unavailable").contains("again"));
    assert_eq!(answer.header("content-length").unwrap().parse::<usize>().unwrap(), answer.body.len());
    opened.close();
}

#[test]
fn told_to_stop_the_door_is_gone_also_in_the_middle_of_streams() {
    let opened = Opened::new(Limits::default(), None);
    let address = opened.address;
    let mut streams: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = opened.connect();
            send(&mut stream, "GET /api/v1/events", address, b"");
            stream.read_exact(&mut [0; 12]).unwrap();
            stream
        })
        .collect();
    let _idle = opened.connect();
    opened.close();
    for stream in &mut streams {
        let _reset = stream.read_to_end(&mut Vec::new());
    }
    assert!(TcpStream::connect(address).is_err());
}
