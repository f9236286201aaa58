//! `page`: where the page is; with `--lan`, a token, an address for a phone as a QR code, and how the page is opened to the
//! local network for good.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use acclimate::door::{self, Token};
use acclimate::durable;
use acclimate::place::absolute;
use anyhow::Context as _;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::{Context, Outcome, line};

/// What is known of the page.
struct Found {
    /// Where it is configured to be.
    listen: SocketAddr,
    /// Whether something answers there.
    running: bool,
    /// The token's file.
    token_file: PathBuf,
}

/// Runs `acclimate page`.
pub fn run(context: &Context, lan: bool) -> anyhow::Result<Outcome> {
    let http = &context.config.http;
    let listen = http.listen.unwrap_or(door::LISTEN);
    if !lan {
        line(&format!("http://{listen}/ ; `acclimate page --lan` opens it to the local network"))?;
        return Ok(Outcome::Done);
    }
    let file = http.token_file.clone().unwrap_or_else(|| door::token_file(&context.data_dir));
    let token = if let Some(token) = Token::read_if_there(&file)? {
        token
    } else {
        durable::make_folder(&context.data_dir)
            .with_context(|| format!("could not make the data directory {}", context.data_dir.display()))?;
        let token = Token::random()?;
        token.write_new(&file)?;
        token
    };
    let name = door::local_name();
    let url = |host: &str| format!("http://{host}:{}/#t={}", listen.port(), token.reveal());
    let by_name = url(&name);
    let address =
        if listen.ip().is_unspecified() || listen.ip().is_loopback() { own_address() } else { Some(listen.ip()) };
    let by_address = address.map(|address| match address {
        IpAddr::V4(v4) => url(&v4.to_string()),
        IpAddr::V6(v6) => url(&format!("[{v6}]")),
    });
    let shown = by_address.as_ref().unwrap_or(&by_name);
    let code = QrCode::new(shown).context("could not draw the address as a QR code")?;
    // What is light is drawn, so that it is right on a dark terminal; where colours can be set, on a light one too.
    let drawn = code.render().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    let (white_on_black, plain) = if std::io::stdout().is_terminal() { ("\x1b[97;40m", "\x1b[0m") } else { ("", "") };
    for row in drawn.lines() {
        line(&format!("{white_on_black}{row}{plain}"))?;
    }
    line(shown)?;
    if by_address.is_some() {
        line(&format!("{by_name} (where names end in .local)"))?;
    }
    line(&format!(
        "the token is in {}, for you alone to read; whoever has the address above can do all that the page can\n",
        file.display()
    ))?;
    let at_home =
        SocketAddr::new(if listen.ip().is_unspecified() { door::LISTEN.ip() } else { listen.ip() }, listen.port());
    let running = TcpStream::connect_timeout(&at_home, Duration::from_secs(1)).is_ok();
    line(&advice(&Found { listen, running, token_file: absolute(&file) }))?;
    Ok(Outcome::Done)
}

/// What to do so that the address works.
fn advice(found: &Found) -> String {
    let Found { listen, running, token_file } = found;
    let mut words = String::new();
    let restart = "`systemctl restart acclimate`, or end `acclimate run` and start it again";
    if listen.ip().is_loopback() {
        let _ = write!(
            words,
            "the page is for this device only so far. To open it to the local network, now and after every restart, write into \
             the configuration\n\n[http]\nlisten = \"0.0.0.0:{}\"\ntoken_file = \"{}\"\n\n",
            listen.port(),
            token_file.display()
        );
        let _ = if *running {
            write!(words, "and restart the daemon, which answers on {listen} only: {restart}")
        } else {
            write!(words, "and start the daemon with it: `acclimate run --config FILE`")
        };
    } else if *running {
        let _ =
            write!(words, "the page is open to the local network; if the token is new, restart the daemon: {restart}");
    } else {
        words += "the configuration opens the page to the local network; nobody answers yet: start the daemon with `acclimate run`";
    }
    words
}

/// The address by which the local network reaches this device. Nothing is sent: the system only chooses a way.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("192.0.2.1", 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advised(listen: [u8; 4], running: bool) -> String {
        advice(&Found { listen: SocketAddr::from((listen, 7070)), running, token_file: "/data/token".into() })
    }

    #[test]
    fn what_is_to_be_done_depends_on_what_is() {
        let closed = advised([127, 0, 0, 1], true);
        assert!(
            closed.contains("listen = \"0.0.0.0:7070\"\ntoken_file = \"/data/token\"")
                && closed.contains("restart the daemon"),
            "{closed}"
        );
        assert!(advised([127, 0, 0, 1], false).contains("acclimate run --config"));
        assert!(advised([0, 0, 0, 0], true).contains("is open to the local network"));
        assert!(advised([0, 0, 0, 0], false).contains("nobody answers yet"));
    }
}
