//! From HTTP to a session: what client and server agree on, and how the connection is handed over.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::body::{Body, full};
use crate::status::{Reason, StatusError};

/// Names the protocols of streams over SPDY.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");

const SPDY: &str = "SPDY/3.1";

/// What carries a session.
pub(super) type Carrier = TokioIo<Upgraded>;

/// What client and server speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    WebSocket,
    Spdy,
}

/// What client and server have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) transport: Transport,
    /// The protocol of the streams; none when a client over SPDY names none.
    pub(super) protocol: Option<&'static str>,
    /// What shows a client of WebSockets that it was understood.
    accept: Option<String>,
}

/// 400: this is answered by a session only.
pub(super) fn required() -> StatusError {
    StatusError::bad_request("Upgrade request required")
}

impl Agreed {
    /// Agrees on one of the protocols for WebSockets, or for SPDY, the best of which come first.
    pub(super) fn on(
        headers: &HeaderMap,
        over_websocket: &[&'static str],
        over_spdy: &[&'static str],
    ) -> Result<Self, StatusError> {
        let upgrade = headers.get(UPGRADE).and_then(|value| value.to_str().ok());
        let upgrade = upgrade.ok_or_else(required)?;
        let (transport, accept, known, names) = if upgrade.eq_ignore_ascii_case("websocket") {
            let key = headers.get(SEC_WEBSOCKET_KEY);
            let key =
                key.ok_or_else(|| StatusError::bad_request("Sec-WebSocket-Key is missing"))?;
            if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
                return Err(StatusError::bad_request("Sec-WebSocket-Version must be 13"));
            }
            let accept = Some(derive_accept_key(key.as_bytes()));
            (Transport::WebSocket, accept, over_websocket, SEC_WEBSOCKET_PROTOCOL)
        } else if upgrade.eq_ignore_ascii_case(SPDY) {
            (Transport::Spdy, None, over_spdy, STREAM_PROTOCOL)
        } else {
            let message =
                format!("unable to upgrade: {upgrade:?} is neither \"websocket\" nor {SPDY:?}");
            return Err(StatusError::bad_request(message));
        };
        let asked: Vec<&str> = headers
            .get_all(&names)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        let protocol = known.iter().copied().find(|name| asked.contains(name));
        // Port-forwards over SPDY have one protocol, and old clients do not name it.
        let unnamed = asked.is_empty() && transport == Transport::Spdy;
        if protocol.is_none() && !unnamed {
            let (asked, known) = (asked.join(" "), known.join(" "));
            let message = format!(
                "unable to upgrade: unable to negotiate protocol: client supports [{asked}], server accepts [{known}]"
            );
            return Err(StatusError::new(Reason::Forbidden, message));
        }
        Ok(Self { transport, protocol, accept })
    }

    /// The answer, after which HTTP is over.
    pub(super) fn response(self) -> Response<Body> {
        let Self { transport, protocol, accept } = self;
        let mut response = Response::new(full(Bytes::new()));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        let (upgrade, name) = match transport {
            Transport::WebSocket => ("websocket", SEC_WEBSOCKET_PROTOCOL),
            Transport::Spdy => (SPDY, STREAM_PROTOCOL),
        };
        headers.insert(UPGRADE, HeaderValue::from_static(upgrade));
        if let Some(accept) = accept {
            let accept = HeaderValue::from_str(&accept).expect("it is base64");
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(protocol) = protocol {
            headers.insert(name, HeaderValue::from_static(protocol));
        }
        response
    }
}

/// Where a connection takes over the session that a request on it has begun. A server puts it into its requests'
/// extensions; without it, as for clients in the same process, there are no sessions.
#[derive(Clone)]
pub(crate) struct Handover {
    session: Arc<Mutex<Option<BoxFuture<'static, ()>>>>,
    places: Arc<Semaphore>,
    most: usize,
}

impl Handover {
    /// For a connection of a server with so many places for sessions in all.
    pub(crate) fn new(places: Arc<Semaphore>, most: usize) -> Self {
        Self { session: Arc::default(), places, most }
    }

    /// The session that was begun, if one was.
    pub(crate) fn take(&self) -> Option<BoxFuture<'static, ()>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A request's way out of HTTP.
pub(crate) struct Upgrade {
    handover: Handover,
    upgrade: OnUpgrade,
}

impl Upgrade {
    /// That of a request which asks for one, on a connection that can.
    pub(crate) fn of(request: &mut Parts) -> Option<Self> {
        let handover = request.extensions.remove()?;
        Some(Self { handover, upgrade: request.extensions.remove()? })
    }

    /// Takes a place for a session.
    ///
    /// # Errors
    ///
    /// 429 when there is none.
    pub(super) fn take_place(self) -> Result<Place, StatusError> {
        let Self { handover, upgrade } = self;
        let permit = handover.places.clone().try_acquire_owned().map_err(|_| {
            StatusError::too_many_requests(format!(
                "the server has {} sessions open",
                handover.most
            ))
        })?;
        Ok(Place { handover, upgrade, permit })
    }
}

/// A place for a session.
pub(super) struct Place {
    handover: Handover,
    upgrade: OnUpgrade,
    permit: OwnedSemaphorePermit,
}

impl Place {
    /// Leaves a session with the connection, which goes on with it when the answer is sent.
    pub(super) fn leave<F>(self, session: impl FnOnce(Carrier) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let Self { handover, upgrade, permit } = self;
        let session = async move {
            // An error means that the client was gone before the answer.
            if let Ok(upgraded) = upgrade.await {
                session(TokioIo::new(upgraded)).await;
            }
            drop(permit);
        };
        *handover.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.boxed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree(headers: &[(&'static str, &'static str)]) -> Result<Agreed, String> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        Agreed::on(&map, &["v5", "v4"], &["v4"]).map_err(|error| error.message)
    }

    #[test]
    fn agreements() {
        let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let version = ("sec-websocket-version", "13");
        let websocket = |protocol| {
            agree(&[("upgrade", "WebSocket"), key, version, ("sec-websocket-protocol", protocol)])
        };
        // The example of RFC 6455, section 1.3.
        let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned();
        let agreed = |protocol| {
            Ok(Agreed {
                transport: Transport::WebSocket,
                protocol: Some(protocol),
                accept: Some(accept.clone()),
            })
        };
        assert_eq!(websocket("v4, v5"), agreed("v5"));
        assert_eq!(websocket("v1,v4"), agreed("v4"));
        let unknown = |asked, known| {
            Err(format!(
                "unable to upgrade: unable to negotiate protocol: client supports [{asked}], server accepts [{known}]"
            ))
        };
        assert_eq!(websocket("v1"), unknown("v1", "v5 v4"));
        let without = agree(&[("upgrade", "websocket"), key, version]);
        assert_eq!(without, unknown("", "v5 v4"));
        let old = agree(&[("upgrade", "websocket"), key, ("sec-websocket-version", "8")]);
        assert_eq!(old, Err("Sec-WebSocket-Version must be 13".to_owned()));

        let protocol = "x-stream-protocol-version";
        let spdy = agree(&[("upgrade", "SPDY/3.1"), (protocol, "v4"), (protocol, "v3")]);
        let over_spdy =
            |protocol| Ok(Agreed { transport: Transport::Spdy, protocol, accept: None });
        assert_eq!(spdy, over_spdy(Some("v4")));
        let unnamed = agree(&[("upgrade", "SPDY/3.1")]);
        assert_eq!(unnamed, over_spdy(None));
        assert_eq!(agree(&[("upgrade", "SPDY/3.1"), (protocol, "v3")]), unknown("v3", "v4"));

        assert_eq!(agree(&[]), Err("Upgrade request required".to_owned()));
        assert!(agree(&[("upgrade", "h2c")]).is_err());
    }
}
