//! Checks of every request, before its path matters: for whom it is, and that it has no body.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{Extension, Request};
use axum::http::header::{CONNECTION, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};
use axum::middleware::Next;
use axum::response::Response;

use super::connection::HttpConnection;
use super::routes::text;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Refuses a request that is for another host, and one that should have no body and has one.
///
/// A name that its owner lets point to 127.0.0.1 makes a browser believe that a page of that name may read what is served here (DNS
/// rebinding). The browser sends that name as the host, so on loopback only names of loopback are accepted.
pub(super) async fn check(
    Extension(connection): Extension<Arc<HttpConnection>>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(refusal) =
        check_host(request.uri(), request.headers(), request.version(), connection.is_loopback)
    {
        return *refusal;
    }
    let has_body = !request.body().is_end_stream();
    if has_body && matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = text(StatusCode::PAYLOAD_TOO_LARGE, "requests have no body here: leave it out");
        refusal.headers_mut().insert(CONNECTION, CLOSE);
        return refusal;
    }
    let mut response = next.run(request).await;
    if has_body {
        // Nobody reads it, so no other request can be found behind it.
        response.headers_mut().insert(CONNECTION, CLOSE);
    }
    response
}

fn check_host(
    uri: &Uri,
    headers: &HeaderMap,
    version: Version,
    is_loopback: bool,
) -> Result<(), Box<Response>> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() || (host.is_none() && version == Version::HTTP_11) {
        return Err(Box::new(text(StatusCode::BAD_REQUEST, "a request needs one header Host")));
    }
    let is_accepted = |host: &str| !is_loopback || names_loopback(host);
    let host_is_accepted = host.is_none_or(|host| host.to_str().is_ok_and(is_accepted));
    if host_is_accepted && uri.authority().is_none_or(|authority| is_accepted(authority.as_str())) {
        return Ok(());
    }
    let reason = "this address is on loopback, where only requests for localhost or a loopback address are answered: ask for one of \
                  those, or have the server listen on the address that you mean (--http)";
    Err(Box::new(text(StatusCode::MISDIRECTED_REQUEST, reason)))
}

/// Returns whether a host, with a port or without, can only be this machine.
fn names_loopback(host: &str) -> bool {
    let Some(authority) =
        Some(host).filter(|host| !host.contains('@')).and_then(|host| host.parse::<Authority>().ok())
    else {
        return false;
    };
    let name = authority.host();
    let ip = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || ip.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_else_can_own_are_loopback() {
        for host in [
            "localhost",
            "LocalHost:9121",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:9121",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(names_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "localhost@evil.example",
            "evil@localhost",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "0.0.0.0:9121",
            "[::]",
            "local host",
        ] {
            assert!(!names_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_request_has_one_host_and_both_of_an_absolute_target_count() {
        let status = |target: &str, hosts: &[&'static str], version, is_loopback| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, HeaderValue::from_static(host));
            }
            let checked = check_host(&target.parse().unwrap(), &headers, version, is_loopback);
            checked.map_err(|refusal| refusal.status().as_u16())
        };
        let http_11 = |target, hosts, is_loopback| status(target, hosts, Version::HTTP_11, is_loopback);
        assert_eq!(http_11("/", &["localhost:1"], true), Ok(()));
        assert_eq!(http_11("/", &["evil.example"], true), Err(421));
        assert_eq!(http_11("/", &["evil.example"], false), Ok(()));
        assert_eq!(http_11("http://evil.example/", &["localhost"], true), Err(421));
        assert_eq!(http_11("http://localhost/", &["evil.example"], true), Err(421));
        assert_eq!(http_11("/", &[], false), Err(400));
        assert_eq!(http_11("/", &["localhost", "localhost"], true), Err(400));
        assert_eq!(status("/", &[], Version::HTTP_10, true), Ok(()));
    }
}
