//! Routes of HTTP, and what each answers.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;

use super::connection::HttpConnection;
use super::counters::{LIVEZ, METRICS, READYZ};
use super::{HttpState, check, credentials, readiness};
use crate::metrics::scrape_starting;

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// Prometheus's text format.
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns the routes.
pub(super) fn router(state: Arc<HttpState>) -> Router {
    Router::new()
        .route(METRICS, get(metrics))
        .route(LIVEZ, get(livez))
        .route(READYZ, get(readyz))
        .method_not_allowed_fallback(wrong_method)
        .fallback(wrong_path)
        .layer(from_fn(check::check))
        // The last one is the outermost: it counts what the others refuse, too.
        .layer(from_fn_with_state(Arc::clone(&state), account))
        .with_state(state)
}

/// Counts a request, and says of every answer that it is of this moment alone.
async fn account(
    State(state): State<Arc<HttpState>>,
    Extension(connection): Extension<Arc<HttpConnection>>,
    request: Request,
    next: Next,
) -> Response {
    let _answering = connection.place.answering();
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    state.counters.count(&path, response.status());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn metrics(
    State(state): State<Arc<HttpState>>,
    Extension(connection): Extension<Arc<HttpConnection>>,
    request: Request,
) -> Response {
    let asked = (request.method(), request.headers());
    if let Err(refusal) = credentials::authorize(&state, &connection, asked).await {
        return refusal.into_response();
    }
    let text = match state.scraper.metrics().await {
        Some(text) => text,
        None => Bytes::from(scrape_starting(&state.lifecycle)),
    };
    answer(StatusCode::OK, METRICS_TEXT, text)
}

async fn livez() -> Response {
    text(StatusCode::OK, "alive")
}

async fn readyz(State(state): State<Arc<HttpState>>) -> Response {
    match readiness::obstacle(&state).await {
        None => text(StatusCode::OK, "ready"),
        Some(obstacle) => text(StatusCode::SERVICE_UNAVAILABLE, format_args!("not ready: {obstacle}")),
    }
}

async fn wrong_method() -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "this path is only read: use GET or HEAD");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

async fn wrong_path() -> Response {
    text(
        StatusCode::NOT_FOUND,
        format_args!("there is nothing here: the paths are {METRICS}, {LIVEZ} and {READYZ}"),
    )
}

/// Returns an answer that is a sentence.
pub(super) fn text(status: StatusCode, text: impl std::fmt::Display) -> Response {
    answer(status, PLAIN_TEXT, Bytes::from(format!("{text}\n")))
}

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
