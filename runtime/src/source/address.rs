//! Addresses of cameras and hooks as people write them, `scheme://user:password@host:port/path`: what they are made of, and
//! how they are shown without their secrets. Opens nothing.

/// An address without its credentials, and these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Without user and password.
    pub url: String,
    /// User and password, percent-decoded.
    pub credentials: Option<(String, String)>,
}

/// Whether a text is an address of one of these schemes, with a host.
pub fn is_one(text: &str, schemes: &[&str]) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    schemes.contains(&scheme)
        && !host.is_empty()
        && !host.starts_with(':')
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Takes the credentials out of an address.
pub fn split(text: &str) -> Address {
    let plain = || Address { url: text.to_owned(), credentials: None };
    let Some((scheme, rest)) = text.split_once("://") else { return plain() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some((credentials, host)) = rest[..end].rsplit_once('@') else { return plain() };
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    Address { url: format!("{scheme}://{host}{}", &rest[end..]), credentials: Some((decoded(user), decoded(password))) }
}

/// The text with user, password and query of every address in it replaced by `…`, to be shown and logged.
pub fn redacted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end =
            after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '!' | ')')).unwrap_or(after.len());
        let address = &after[..end];
        let authority = address.find(['/', '?', '#']).unwrap_or(address.len());
        let host = address[..authority].rfind('@').map_or(0, |sign| sign + 1);
        if host > 0 {
            shown.push_str("…@");
        }
        let query = address.find('?').unwrap_or(address.len()).max(host);
        shown.push_str(&address[host..query]);
        if query < address.len() {
            shown.push_str("?…");
        }
        rest = &after[end..];
    }
    shown.push_str(rest);
    shown
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = hex.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        for (text, shown) in [
            ("http://host/a.jpg", "http://host/a.jpg"),
            ("rtsp://u:p%40@host:554/a", "rtsp://…@host:554/a"),
            ("http://host/a.cgi?user=me&pwd=x", "http://host/a.cgi?…"),
            ("http://u:p@host?x=a@b", "http://…@host?…"),
            ("ffmpeg -i rtsp://u:p@h/1 -f mjpeg - of http://h2", "ffmpeg -i rtsp://…@h/1 -f mjpeg - of http://h2"),
            ("/dev/video0", "/dev/video0"),
            ("http://u:p@", "http://…@"),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }

    #[test]
    fn credentials_leave_the_address() {
        let address = split("http://me:a%3Ab%2@cam:8080/shot?x=1");
        assert_eq!(address.url, "http://cam:8080/shot?x=1");
        assert_eq!(address.credentials, Some(("me".to_owned(), "a:b%2".to_owned())));
        assert_eq!(split("http://cam/@").credentials, None);
    }

    #[test]
    fn an_address_has_a_scheme_that_is_known_and_a_host() {
        assert!(is_one("http://cam/a", &["http"]) && is_one("http://u:p@cam", &["http"]));
        for text in ["", "http://", "http:///a", "http://u@", "ftp://cam", "http://:80/", "http://a b", "cam/a"] {
            assert!(!is_one(text, &["http"]), "{text}");
        }
    }
}
