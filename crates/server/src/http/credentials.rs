//! Checks who sends a request, by a header or by the certificate of the connection, and that this user may see the metrics.

use std::sync::Arc;

use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustvault_protocol::Category;
use rustvault_users::User;

use super::HttpState;
use super::connection::HttpConnection;
use super::counters::METRICS;
use super::routes::text;
use crate::login::{LoginError, RequestLogin};

/// Means of logging in, as the header `WWW-Authenticate` of an answer states them.
const CHALLENGES: [HeaderValue; 2] = [
    HeaderValue::from_static("Basic realm=\"RustVault\", charset=\"UTF-8\""),
    HeaderValue::from_static("Bearer realm=\"RustVault\""),
];

/// Seconds after which a client that was refused for a while should try again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("6");

/// Reason for which somebody does not see the metrics.
#[derive(Debug)]
pub(super) enum MetricsRefusal {
    /// The request says nothing about who sends it.
    Anonymous,
    /// Its header is no login.
    Malformed,
    Login(LoginError),
    /// The user lacks the right.
    Denied,
}

impl MetricsRefusal {
    pub(super) fn into_response(self) -> Response {
        let unauthorized = StatusCode::UNAUTHORIZED;
        let (status, reason) = match self {
            Self::Anonymous => (
                unauthorized,
                "this server has users: log in with a name and a password or token (Basic), or with a token alone (Bearer)",
            ),
            Self::Malformed => (
                unauthorized,
                "the header Authorization is not understood: send one, 'Basic' with base64 of name:password, or 'Bearer' with a token",
            ),
            Self::Login(error @ (LoginError::Wrong | LoginError::WrongToken)) => {
                (unauthorized, error.message())
            }
            Self::Login(error @ LoginError::Throttled) => (StatusCode::TOO_MANY_REQUESTS, error.message()),
            Self::Login(error) => (StatusCode::SERVICE_UNAVAILABLE, error.message()),
            Self::Denied => (
                StatusCode::FORBIDDEN,
                "the user lacks the right 'metrics': grant it with rustvault-cli user grant NAME metrics",
            ),
        };
        let mut response = text(status, reason);
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                for challenge in CHALLENGES {
                    headers.append(WWW_AUTHENTICATE, challenge);
                }
            }
            StatusCode::FORBIDDEN => {}
            _ => drop(headers.insert(RETRY_AFTER, RETRY_SECONDS)),
        }
        response
    }
}

/// Checks that whoever sends a request may see the metrics. Without users everybody may.
pub(super) async fn authorize(
    state: &HttpState,
    connection: &HttpConnection,
    request: (&Method, &HeaderMap),
) -> Result<(), MetricsRefusal> {
    let (method, headers) = request;
    let identification = &state.identification;
    let Some(users) = identification.access.load() else { return Ok(()) };
    let client = &connection.client;
    let user: Arc<User> = match given_login(headers)? {
        Some(given) => {
            let login = given.as_login();
            let verified =
                identification.logins.verify_request(&identification.access, client, login, &state.stopping);
            verified.await.map_err(MetricsRefusal::Login)?
        }
        None => {
            let user = connection.certified_user().and_then(|name| users.get(name));
            user.cloned().ok_or(MetricsRefusal::Anonymous)?
        }
    };
    if user.rights.allow_all_keys(Category::Metrics) {
        return Ok(());
    }
    let lacking = Category::Metrics.name();
    identification.logins.audit.denied(client, &user.name, &format!("{method} {METRICS}"), lacking);
    Err(MetricsRefusal::Denied)
}

/// The contents of a header `Authorization`.
#[derive(PartialEq, Eq)]
enum GivenCredentials {
    /// `Basic`: a name, a colon, and a secret.
    Pair { pair: Vec<u8>, colon: usize },
    /// `Bearer`.
    Token(Vec<u8>),
}

impl GivenCredentials {
    fn as_login(&self) -> RequestLogin<'_> {
        match self {
            Self::Pair { pair, colon } => {
                RequestLogin::Named { name: &pair[..*colon], secret: &pair[colon + 1..] }
            }
            Self::Token(token) => RequestLogin::Token(token),
        }
    }
}

/// Returns the credentials of a request; `None` if it has none.
fn given_login(headers: &HeaderMap) -> Result<Option<GivenCredentials>, MetricsRefusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let parsed = value.to_str().ok().filter(|_| values.next().is_none()).and_then(parse);
    parsed.map(Some).ok_or(MetricsRefusal::Malformed)
}

fn parse(value: &str) -> Option<GivenCredentials> {
    let (scheme, credentials) = value.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("Basic") {
        let pair = STANDARD.decode(credentials).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        return Some(GivenCredentials::Pair { pair, colon });
    }
    let is_token = scheme.eq_ignore_ascii_case("Bearer") && !credentials.is_empty();
    is_token.then(|| GivenCredentials::Token(credentials.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_a_user_or_has_a_token_or_is_refused() {
        let parsed = |value: &str| {
            parse(value).map(|given| match given.as_login() {
                RequestLogin::Named { name, secret } => {
                    format!("{}/{}", name.escape_ascii(), secret.escape_ascii())
                }
                RequestLogin::Token(token) => token.escape_ascii().to_string(),
            })
        };
        let basic = |pair: &str| parsed(&format!("basic {}", STANDARD.encode(pair)));
        assert_eq!(basic("ann:pass:word").as_deref(), Some("ann/pass:word"));
        assert_eq!(basic(":").as_deref(), Some("/"));
        assert_eq!(basic("\0\u{1b}:\r\n").as_deref(), Some(r"\x00\x1b/\r\n"));
        assert_eq!(parsed("BEARER  rv_x ").as_deref(), Some("rv_x"));
        for value in ["", "Basic", "Basic ", "Basic !", "Bearer ", "Digest x", "YW5uOng="] {
            assert_eq!(parsed(value), None, "{value}");
        }
        assert_eq!(basic("no colon"), None);
    }
}
