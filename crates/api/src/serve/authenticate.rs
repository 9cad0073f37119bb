//! Who may speak to the API: the bearer of the token.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use http_body_util::Either;
use tower::{Layer, Service};

use super::Token;
use crate::body::{self, Body, error_response};
use crate::status::StatusError;

/// A layer that lets requests with the token pass, and answers others with 401 as Kubernetes does. Who shows no token may
/// see what Kubernetes' role `system:public-info-viewer` lets strangers see; who shows a wrong one, nothing.
#[derive(Clone, Debug)]
pub struct Authenticate {
    token: Arc<Token>,
}

impl Authenticate {
    /// Of this token.
    pub fn new(token: Token) -> Self {
        Self { token: Arc::new(token) }
    }

    fn allows(&self, path: &str, headers: &HeaderMap) -> bool {
        match headers.get(AUTHORIZATION).and_then(|header| bearer(header.as_bytes())) {
            Some(shown) => equal(shown, self.token.as_str().as_bytes()),
            None => matches!(path, "/healthz" | "/livez" | "/readyz" | "/version" | "/version/"),
        }
    }
}

/// The token that a header shows; none where it is of another scheme, which nothing here knows.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, shown) = header.split_at_checked(b"Bearer".len())?;
    let shown = shown.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer")
        && header.get(scheme.len()).is_none_or(u8::is_ascii_whitespace))
    .then_some(shown)
}

/// Compares in a time that depends on the lengths only.
fn equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).fold(0, |difference, (a, b)| black_box(difference | (a ^ b))) == 0
}

impl<S> Layer<S> for Authenticate {
    type Service = Authenticated<S>;

    fn layer(&self, inner: S) -> Authenticated<S> {
        Authenticated { layer: self.clone(), inner }
    }
}

/// A service behind [`Authenticate`].
#[derive(Clone, Debug)]
pub struct Authenticated<S> {
    layer: Authenticate,
    inner: S,
}

impl<S, Q, B> Service<Request<Q>> for Authenticated<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    B: 'static,
    Q: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Either<B, Body>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        ready!(self.inner.poll_ready(context))?;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        if !self.layer.allows(request.uri().path(), request.headers()) {
            body::discard(Box::pin(request.into_body()));
            return Box::pin(async {
                Ok(error_response(&StatusError::unauthorized()).map(Either::Right))
            });
        }
        let answer = self.inner.call(request);
        Box::pin(async { Ok(answer.await?.map(Either::Left)) })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn who_passes() {
        let layer = Authenticate::new(Token::new("s3cret").unwrap());
        let check = |path: &str, header: Option<&str>, passes: bool| {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
            }
            assert_eq!(layer.allows(path, &headers), passes, "{path} {header:?}");
        };
        check("/api", Some("Bearer s3cret"), true);
        check("/api", Some("bearer s3cret"), true);
        check("/api", Some("Bearer  s3cret "), true);
        check("/api", None, false);
        check("/api", Some(""), false);
        check("/api", Some("Bearer"), false);
        check("/api", Some("Bearer "), false);
        check("/api", Some("Bearer s3cres"), false);
        check("/api", Some("Bearer s3cre"), false);
        check("/api", Some("Bearer s3crets"), false);
        check("/api", Some("Basic s3cret"), false);
        check("/api", Some("s3cret"), false);
        for open in ["/healthz", "/livez", "/readyz", "/version", "/version/"] {
            check(open, None, true);
            check(open, Some("Basic s3cret"), true);
            check(open, Some("Bearer s3cret"), true);
            check(open, Some("Bearer s3cres"), false);
            check(open, Some("Bearer"), false);
        }
        check("/healthz/../api", None, false);
        check("/versions", None, false);
    }
}
