//! One POST over a connection of its own. Redirects are answers, and no good ones: nobody follows them.

use super::Fault;
use smc_net::{Endpoint, HttpClient, HttpResponse, Method, NetError, TlsSettings};
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two looks at the socket.
const NAP: Duration = Duration::from_millis(1);

/// Where.
pub(crate) struct Target {
    endpoint: Endpoint,
    /// With its query; `/` at least.
    path: String,
}

impl Target {
    /// Reads `https://host[:port][/path]`. Plain `http` goes to this machine only, which the connection sees to.
    pub fn parse(url: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        // The address is not repeated in messages: it may be a secret.
        let (is_tls, rest) = match url.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err("an address begins with https://".into()),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err("an address has no name and password".into());
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && !port.contains(']') => {
                (host, port.parse().map_err(|_| "an address has a number as its port")?)
            }
            _ => (authority, if is_tls { 443 } else { 80 }),
        };
        let host = host.trim_matches(['[', ']']);
        if host.is_empty() {
            return Err("an address has a host".into());
        }
        let is_here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        if !is_tls && !is_here {
            return Err("without TLS only this machine is spoken to".into());
        }
        let tls = match is_tls {
            true => super::trust(ca_file.map(Path::to_owned).as_ref())?,
            false => TlsSettings::plain_on_loopback(),
        };
        let endpoint = Endpoint { host: host.into(), port, address: None, tls };
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.into() } else { format!("/{path}") };
        Ok(Self { endpoint, path })
    }

    /// The path that the address has, without its last slash.
    pub fn base(&self) -> &str {
        self.path.trim_end_matches('/')
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn place(&self) -> String {
        format!("{}:{}", self.endpoint.host, self.endpoint.port)
    }

    /// Posts and waits for the answer.
    pub fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
        within: Duration,
    ) -> Result<HttpResponse, NetError> {
        let started = Instant::now();
        let mut client = HttpClient::connect(&self.endpoint)?;
        let mut all =
            vec![("Content-Type", "application/json"), ("Connection", "close"), ("User-Agent", "smc")];
        all.extend_from_slice(headers);
        client.request(Method::Post, path, &all, body.as_bytes())?;
        loop {
            if let Some(response) = client.poll()? {
                return Ok(response);
            }
            if started.elapsed() >= within {
                return Err(NetError::TimedOut);
            }
            std::thread::sleep(NAP);
        }
    }
}

/// What a status says about trying again. Bodies are not repeated: they are other people's words.
pub(crate) fn judged(response: &HttpResponse) -> Result<(), Fault> {
    let wait = response.header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
    match response.status {
        200..=299 => Ok(()),
        300..=399 => Err(Fault::Refused(format!("status {}: redirects are not followed", response.status))),
        408 | 425 | 429 | 500..=599 => Err(Fault::Later(format!("status {}", response.status), wait)),
        status => Err(Fault::Refused(format!("status {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_without_being_repeated() {
        let plain = |url| Target::parse(url, None).map(|target| (target.place(), target.path.clone()));
        let of = |place: &str, path: &str| Ok((place.to_owned(), path.to_owned()));
        assert_eq!(plain("http://127.0.0.1:8080/a?b=1#c"), of("127.0.0.1:8080", "/a?b=1"));
        assert_eq!(plain("http://localhost"), of("localhost:80", "/"));
        assert_eq!(plain("http://[::1]:9/x"), of("::1:9", "/x"));
        for bad in [
            "http://hooks.example/canary",
            "ftp://h/canary",
            "https://u:canary@h/",
            "https:///canary",
            "http://localhost:x/canary",
        ] {
            let error = plain(bad).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
