//! The API server as a tower service: one request in, one answer out.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use manifest::kind::KindId;

use crate::allocate::CidrError;
use crate::body::{self, Body, Received, error_response, full, json_body, json_response};
use crate::capacity::Capacity;
use crate::config::Config;
use crate::discovery::{self, Document};
use crate::negotiate::{self, BodyFormat, Form};
use crate::object;
use crate::options::Query;
use crate::registry::{Registry, Subject, Written};
use crate::render::Rendering;
use crate::request::{ResourceRequest, Route, Subresource, Verb};
use crate::review::Review;
use crate::status::{Reason, StatusError};
use crate::store::Store;
use crate::stream::Upgrade;
use crate::table::IncludeObject;

/// The embedded Kubernetes API. Clones share one state.
///
/// In the same process it is what a client is built on, without a socket: `kube::Client::new(server, "default")`.
/// It does not ask who the client is; over a network, that is for what stands before it.
#[derive(Clone)]
pub struct ApiServer {
    registry: Arc<Registry>,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiServer").finish_non_exhaustive()
    }
}

impl ApiServer {
    /// An API server over a store, whose Services keep what they hold.
    ///
    /// # Errors
    ///
    /// When the ranges of cluster IPs are none, too small, or two of one family.
    pub fn new(store: Arc<dyn Store>, config: Config) -> Result<Self, CidrError> {
        Ok(Self { registry: Arc::new(Registry::new(store, config)?) })
    }

    /// The state behind, for what the server does by itself.
    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    async fn handle<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::fmt::Display,
    {
        let (mut parts, body) = request.into_parts();
        let upgrade = Upgrade::of(&mut parts);
        let head = parts.method == Method::HEAD;
        let query = parts.uri.query().unwrap_or("");
        let capacity = parts.extensions.get::<Capacity>();
        let route = not_impersonating(&parts.headers)
            .and_then(|()| Route::parse(&parts.method, parts.uri.path(), query));
        let answer = match route {
            Ok(Route::Resource(resource)) => match body::read(&parts.headers, body, capacity).await
            {
                Ok(body) => self.answer(*resource, query, &parts.headers, body, upgrade).await,
                Err(error) => Err(error),
            },
            Ok(Route::Review(review)) => match body::read(&parts.headers, body, capacity).await {
                Ok(body) => answer_review(review, &parts.headers, &body.bytes),
                Err(error) => Err(error),
            },
            Ok(Route::Document) => {
                body::discard(Box::pin(body));
                document(&parts.method, parts.uri.path(), query, &parts.headers)
            }
            Err(error) => {
                body::discard(Box::pin(body));
                Err(error)
            }
        };
        let mut response = answer.unwrap_or_else(|error| error_response(&error));
        if head {
            *response.body_mut() = full(Bytes::new());
        }
        response
    }

    /// Answers a request about a resource.
    async fn answer(
        &self,
        request: ResourceRequest,
        query: &str,
        headers: &HeaderMap,
        body: Received,
        upgrade: Option<Upgrade>,
    ) -> Result<Response<Body>, StatusError> {
        let ResourceRequest { kind, namespace, verb } = request;
        let rendering = self.rendering(query, headers)?;
        let registry = &self.registry;
        let deprecated = kind.id == KindId::Endpoints;
        let mut response = match verb {
            Verb::Get { name, part } => {
                let namespace = namespace.as_deref().unwrap_or("");
                let json = match part {
                    None | Some(Subresource::Status) => {
                        rendering.object(kind, registry.get(kind, namespace, &name)?.json.clone())
                    }
                    Some(Subresource::Scale) => {
                        let subject = Subject { kind, namespace, name: &name };
                        body::to_bytes(&registry.get_scale(subject)?)
                    }
                };
                json_response(StatusCode::OK, json)
            }
            Verb::List(options) => {
                let list = registry.list(kind, namespace.as_deref(), &options)?;
                json_body(StatusCode::OK, rendering.list(kind, list).boxed_unsync())
            }
            Verb::Watch(options) => {
                let encoder = rendering.watch(kind, registry);
                let stream = registry.watch(kind, namespace, options, encoder);
                let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, json);
                response
            }
            Verb::Log { name, query } => {
                let namespace = namespace.as_deref().unwrap_or("");
                let pod = object::stored(&registry.get(kind, namespace, &name)?.json);
                let Config { kubelet, clock, .. } = &registry.config;
                query.answer(&pod, kubelet.as_deref(), clock())?
            }
            Verb::Connect { name, to } => {
                let namespace = namespace.as_deref().unwrap_or("");
                let behind = registry.get(kind, namespace, to.object_name(&name))?;
                let behind = object::stored(&behind.json);
                let kubelet = registry.config.kubelet.clone();
                to.answer(&behind, kubelet, headers, upgrade).await?
            }
            verb @ (Verb::Create(_)
            | Verb::Update { .. }
            | Verb::Patch { .. }
            | Verb::Delete { .. }
            | Verb::DeleteCollection { .. }
            | Verb::Bind { .. }
            | Verb::Evict { .. }
            | Verb::Finalize { .. }) => {
                let object = answers_object(&verb);
                let write = ResourceRequest { kind, namespace, verb };
                let Written { json, created, warnings } =
                    self.write(write, headers.clone(), body).await?;
                let code = if created { StatusCode::CREATED } else { StatusCode::OK };
                let json = if object { rendering.object(kind, json) } else { json };
                let mut response = json_response(code, json);
                for warning in &warnings {
                    body::add_warning(response.headers_mut(), warning);
                }
                response
            }
        };
        if deprecated {
            let text =
                "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
            body::add_warning(response.headers_mut(), text);
        }
        Ok(response)
    }

    fn rendering(&self, query: &str, headers: &HeaderMap) -> Result<Rendering, StatusError> {
        let form = Form::accepted(headers)?;
        let include = match form {
            Form::Object | Form::Metadata => IncludeObject::default(),
            Form::Table => {
                let query = Query::parse(query)?;
                let text = query.get("includeObject").unwrap_or("");
                IncludeObject::from_query(text).ok_or_else(|| {
                    StatusError::bad_request(format!(
                        "invalid value \"{text}\" for parameter \"includeObject\""
                    ))
                })?
            }
        };
        Ok(Rendering { form, include, now: (self.registry.config.clock)() })
    }

    /// Runs a write to its end, even when the client goes away: a Service's addresses are claimed before it is known
    /// whether the write happens, and must not be free again while that is open.
    fn write(
        &self,
        request: ResourceRequest,
        headers: HeaderMap,
        body: Received,
    ) -> ToTheEnd<Result<Written, StatusError>> {
        let registry = self.registry.clone();
        let write = async move {
            // Whole, so that its turn and its room are kept as long.
            let body = body;
            write(&registry, request, &headers, &body.bytes).await
        };
        ToTheEnd { future: Some(Box::pin(write)), begun: false }
    }
}

/// There is one user. Who asks as another would take the answers for that one's.
fn not_impersonating(headers: &HeaderMap) -> Result<(), StatusError> {
    let Some(user) = headers.get("impersonate-user") else { return Ok(()) };
    let message = format!(
        "users {user:?} is forbidden: headcount has one user, who may do everything, and nobody to impersonate; leave \
         --as out"
    );
    Err(StatusError::new(Reason::Forbidden, message))
}

/// A future that, once begun, goes on by itself when who waits for it stops waiting.
struct ToTheEnd<T: Send + 'static> {
    future: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    begun: bool,
}

impl<T: Send + 'static> Future for ToTheEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.begun = true;
        let future = self.future.as_mut().expect("it is not polled after its end");
        let polled = future.as_mut().poll(context);
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for ToTheEnd<T> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take().filter(|_| self.begun)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(future);
        }
    }
}

/// Whether a write answers with an object of the kind, which can be rendered in other forms.
fn answers_object(verb: &Verb) -> bool {
    match verb {
        Verb::Create(_) | Verb::Finalize { .. } => true,
        Verb::Update { part, .. } | Verb::Patch { part, .. } => *part != Some(Subresource::Scale),
        Verb::Get { .. } | Verb::List(_) | Verb::Watch(_) => true,
        Verb::Delete { .. }
        | Verb::DeleteCollection { .. }
        | Verb::Bind { .. }
        | Verb::Evict { .. }
        | Verb::Log { .. }
        | Verb::Connect { .. } => false,
    }
}

async fn write(
    registry: &Registry,
    request: ResourceRequest,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Written, StatusError> {
    let ResourceRequest { kind, namespace, mut verb } = request;
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    match &mut verb {
        Verb::Create(options)
        | Verb::Update { options, .. }
        | Verb::Bind { options, .. }
        | Verb::Evict { options, .. }
        | Verb::Finalize { options, .. } => {
            options.name_by(agent);
            options.look_for_duplicates(body);
        }
        Verb::Patch { options, .. } => {
            options.write.name_by(agent);
            options.write.look_for_duplicates(body);
        }
        Verb::Get { .. }
        | Verb::List(_)
        | Verb::Watch(_)
        | Verb::Log { .. }
        | Verb::Connect { .. }
        | Verb::Delete { .. }
        | Verb::DeleteCollection { .. } => {}
    }
    let place = namespace.as_deref().unwrap_or("");
    let sent = || object::parse_sent(headers, body, (kind.api_version(), kind.kind));
    let sent_as = |expected| object::parse_sent(headers, body, expected);
    match verb {
        Verb::Create(options) => {
            registry.create(kind, namespace.as_deref(), sent()?, options).await
        }
        Verb::Update { name, part, options } => {
            let subject = Subject { kind, namespace: place, name: &name };
            match part {
                None => registry.replace(subject, false, sent()?, options).await,
                Some(Subresource::Status) => {
                    registry.replace(subject, true, sent()?, options).await
                }
                Some(Subresource::Scale) => {
                    registry.replace_scale(subject, &sent_as(SCALE)?, options).await
                }
            }
        }
        Verb::Patch { name, part, options } => {
            let subject = Subject { kind, namespace: place, name: &name };
            if negotiate::is_apply(headers) {
                let config = object::parse_applied(body)?;
                return registry.apply(subject, part, config, &options).await;
            }
            let format = negotiate::patch_format(headers)?;
            if options.force {
                let force = manifest::field::FieldPath::new("force");
                let why = "may not be specified for non-apply patch";
                let error = manifest::field::FieldError::forbidden(&force, why);
                return Err(StatusError::invalid_fields(
                    "meta.k8s.io",
                    "PatchOptions",
                    "",
                    &[error],
                ));
            }
            let patch = object::parse_any(body)?;
            match part {
                None => registry.patch(subject, false, format, &patch, &options).await,
                Some(Subresource::Status) => {
                    registry.patch(subject, true, format, &patch, &options).await
                }
                Some(Subresource::Scale) => {
                    registry.patch_scale(subject, format, &patch, &options).await
                }
            }
        }
        Verb::Delete { name, options } => {
            let options = delete_options(options, headers, body)?;
            registry.delete(Subject { kind, namespace: place, name: &name }, &options).await
        }
        Verb::DeleteCollection { list, options } => {
            let options = delete_options(options, headers, body)?;
            registry.delete_collection(kind, namespace.as_deref(), &list, &options).await
        }
        Verb::Bind { name, options } => {
            registry.bind(place, &name, &sent_as(BINDING)?, options).await
        }
        Verb::Evict { name, options } => {
            registry.evict(place, &name, &sent_as(EVICTION)?, options).await
        }
        Verb::Finalize { name, options } => registry.finalize(&name, sent()?, options).await,
        Verb::Get { .. }
        | Verb::List(_)
        | Verb::Watch(_)
        | Verb::Log { .. }
        | Verb::Connect { .. } => Err(StatusError::method_not_allowed()),
    }
}

/// What bodies in protobuf are where they are not of the path's kind.
const SCALE: (&str, &str) = ("autoscaling/v1", "Scale");
const BINDING: (&str, &str) = ("v1", "Binding");
const EVICTION: (&str, &str) = ("policy/v1", "Eviction");

fn delete_options(
    options: crate::options::DeleteOptions,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<crate::options::DeleteOptions, StatusError> {
    if body.is_empty() {
        return Ok(options);
    }
    match BodyFormat::sent(headers)? {
        BodyFormat::Json => options.merge_body(body),
        BodyFormat::Yaml | BodyFormat::Protobuf => {
            let body = object::parse_sent(headers, body, ("v1", "DeleteOptions"))?;
            options.merge_body(&body::to_bytes(&body))
        }
    }
}

/// Answers a question about the client itself.
fn answer_review(
    review: &Review,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response<Body>, StatusError> {
    let asked = object::parse_sent(headers, body, (review.api_version, review.kind))?;
    Ok(json_response(StatusCode::CREATED, body::to_bytes(&review.answer(asked)?)))
}

/// Answers what lies above resources: health, discovery, version, schemas.
fn document(
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
) -> Result<Response<Body>, StatusError> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(StatusError::method_not_allowed());
    }
    let path = path.trim_end_matches('/');
    if matches!(path, "/healthz" | "/livez" | "/readyz") {
        let mut response = Response::new(full("ok"));
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        return Ok(response);
    }
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if path == "/openapi/v2" && accept.contains("protobuf") {
        let mut response = Response::new(full(discovery::OPENAPI_V2));
        let media_type = HeaderValue::from_static(discovery::OPENAPI_V2_MEDIA_TYPE);
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        return Ok(response);
    }
    let query = Query::parse(query)?;
    let Document { content_type, immutable, body } =
        discovery::document(path, query.get("hash"), accept)
            .ok_or_else(StatusError::unknown_path)?;
    let mut response = json_response(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if immutable {
        let a_year = HeaderValue::from_static("public, max-age=31536000, immutable");
        headers.insert(CACHE_CONTROL, a_year);
    }
    Ok(response)
}

impl<B> tower::Service<Request<B>> for ApiServer
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move { Ok(server.handle(request).await) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;
    use http_body_util::Full;
    use jiff::Timestamp;
    use tower::ServiceExt as _;

    use super::*;
    use crate::store::Memory;

    /// A request has its turn, and its body its room, until it is answered. The clock, which is asked meanwhile, looks.
    #[tokio::test]
    async fn a_turn_lasts_until_the_answer() {
        const BODY: &str = r#"{"metadata":{"name":"a"}}"#;
        let capacity = Capacity::new(1, BODY.len());
        let looked = Arc::new(AtomicUsize::new(0));
        let (seen, count) = (capacity.clone(), looked.clone());
        let mut config =
            Config::new(vec!["10.96.0.0/12".parse().expect("a range")], ([127, 0, 0, 1], 1).into());
        config.clock = Arc::new(move || {
            assert!(seen.turn().now_or_never().is_none(), "the turn is over");
            assert!(seen.room(1).is_none(), "the room is free");
            count.fetch_add(1, Ordering::Relaxed);
            Timestamp::UNIX_EPOCH
        });
        let server = ApiServer::new(Arc::new(Memory::new()), config).expect("a server");
        let request = Request::post("/api/v1/namespaces")
            .header(CONTENT_TYPE, "application/json")
            .extension(capacity.clone())
            .body(Full::new(Bytes::from_static(BODY.as_bytes())))
            .expect("a request");
        let response = server.oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::CREATED);
        // For the answer's form, and for what is written.
        assert!(looked.load(Ordering::Relaxed) >= 2);
        assert!(capacity.turn().now_or_never().is_some());
        assert!(capacity.room(BODY.len()).is_some());
    }
}
