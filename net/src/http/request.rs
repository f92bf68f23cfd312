//! Requests that we send. Pure; refuses bytes that would let a value become a header or a second request.

use crate::error::NetError;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Create or do.
    Post,
    /// Change or renew.
    Put,
    /// Remove.
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// The bytes of one request. `Host` and, where there is a body, `Content-Length` are added here.
pub fn encode_request(
    method: Method,
    authority: &str,
    path_and_query: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Vec<u8>, NetError> {
    if !path_and_query.starts_with('/') || !path_and_query.bytes().all(is_target_byte) {
        return Err(NetError::BadRequest("path"));
    }
    if !authority.bytes().all(is_target_byte) {
        return Err(NetError::BadRequest("host"));
    }
    let mut text = format!("{} {path_and_query} HTTP/1.1\r\nHost: {authority}\r\n", method.name());
    for (name, value) in headers {
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            return Err(NetError::BadRequest("header name"));
        }
        if !value.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7f)) {
            return Err(NetError::BadRequest("header value"));
        }
        text.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() || method != Method::Get {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    Ok(bytes)
}

fn is_target_byte(b: u8) -> bool {
    // Bytes above ASCII pass: a few symbols of the venues hold them, though percent-encoding is the better form.
    b > b' ' && b != 0x7f
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_the_rfc_writes_it() {
        let get = encode_request(Method::Get, "h:8443", "/a?b=1", &[("X-Key", "k")], b"").unwrap();
        assert_eq!(get, b"GET /a?b=1 HTTP/1.1\r\nHost: h:8443\r\nX-Key: k\r\n\r\n");
        let post = encode_request(Method::Post, "h", "/", &[], b"xy").unwrap();
        assert_eq!(post, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy");
    }

    #[test]
    fn nothing_can_be_smuggled_in() {
        let refused =
            |path, name, value| encode_request(Method::Get, "h", path, &[(name, value)], b"").unwrap_err();
        assert_eq!(refused("/a b", "X", "v"), NetError::BadRequest("path"));
        assert_eq!(refused("a", "X", "v"), NetError::BadRequest("path"));
        assert_eq!(refused("/", "X:", "v"), NetError::BadRequest("header name"));
        assert_eq!(refused("/", "X", "v\r\nY: z"), NetError::BadRequest("header value"));
    }
}
