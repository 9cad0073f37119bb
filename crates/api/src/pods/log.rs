//! `pods/NAME/log`.

use bytes::Bytes;
use futures::StreamExt as _;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use jiff::{SignedDuration, Timestamp};
use manifest::field::{FieldError, FieldPath};
use serde_json::Value;

use super::container;
use crate::body::{Body, full};
use crate::kubelet::{Container, Kubelet, LogOptions, NoLog};
use crate::object::meta;
use crate::options::Query;
use crate::status::{Reason, StatusError};

/// `PodLogOptions`, from the query. Bounds are checked once it is known that the pod exists, as in Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogQuery {
    container: Option<String>,
    follow: bool,
    previous: bool,
    timestamps: bool,
    since_seconds: Option<i64>,
    since_time: Option<Timestamp>,
    tail_lines: Option<i64>,
    limit_bytes: Option<i64>,
}

impl LogQuery {
    /// Parses the parameters. Which of the container's two streams is asked for is of no matter: there is one.
    pub(crate) fn parse(query: &Query) -> Result<Self, StatusError> {
        Ok(Self {
            container: query.get("container").map(str::to_owned),
            follow: query.flag("follow")?.unwrap_or(false),
            previous: query.flag("previous")?.unwrap_or(false),
            timestamps: query.flag("timestamps")?.unwrap_or(false),
            since_seconds: query.parsed("sinceSeconds", "must be a number")?,
            since_time: query.parsed("sinceTime", "must be a time of RFC 3339")?,
            tail_lines: query.parsed("tailLines", "must be a number")?,
            limit_bytes: query.parsed("limitBytes", "must be a number")?,
        })
    }

    /// Checks the parameters with one another (Kubernetes' `ValidatePodLogOptions`).
    fn options(&self, pod: &str, now: Timestamp) -> Result<LogOptions, StatusError> {
        let Self { container: _, follow, previous, timestamps, .. } = *self;
        let mut errors = Vec::new();
        let mut at_least = |field: &'static str, value: Option<i64>, least: i64, why: &str| {
            if let Some(value) = value.filter(|value| *value < least) {
                errors.push(FieldError::invalid(&FieldPath::new(field), value, why));
            }
        };
        at_least("tailLines", self.tail_lines, 0, "must be greater than or equal to 0");
        at_least("limitBytes", self.limit_bytes, 1, "must be greater than 0");
        if self.since_time.is_none() {
            at_least("sinceSeconds", self.since_seconds, 1, "must be greater than 0");
        } else if self.since_seconds.is_some() {
            let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            errors.push(FieldError::forbidden(&FieldPath::new(""), why));
        }
        if !errors.is_empty() {
            return Err(StatusError::invalid_fields("", "PodLogOptions", pod, &errors));
        }
        let ago = |seconds| now.checked_sub(SignedDuration::from_secs(seconds)).ok();
        let count = |value: i64| usize::try_from(value).unwrap_or(usize::MAX);
        Ok(LogOptions {
            follow,
            previous,
            // Longer ago than time goes back is all there is.
            since: self.since_time.or_else(|| self.since_seconds.and_then(ago)),
            timestamps,
            tail_lines: self.tail_lines.map(count),
            limit_bytes: self.limit_bytes.map(count),
        })
    }

    /// The answer for a pod that exists.
    pub(crate) fn answer(
        &self,
        pod: &Value,
        kubelet: Option<&dyn Kubelet>,
        now: Timestamp,
    ) -> Result<Response<Body>, StatusError> {
        let name = meta(pod, "name");
        let options = self.options(name, now)?;
        let container = Container {
            namespace: meta(pod, "namespace").to_owned(),
            pod: name.to_owned(),
            uid: meta(pod, "uid").to_owned(),
            name: container::choose(pod, self.container.as_deref())?,
        };
        let kubelet = kubelet.ok_or_else(|| {
            StatusError::new(
                Reason::NotImplemented,
                "this API server has no nodes to ask for a log",
            )
        })?;
        let lines =
            kubelet.log(&container, &options).map_err(|error| no_log(&error, &container))?;
        let lines = lines.map(|lines: Bytes| Ok(Frame::data(lines)));
        let mut response = Response::new(full(Bytes::new()));
        *response.body_mut() = StreamBody::new(lines).boxed_unsync();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok(response)
    }
}

/// Why there is no log, as the kubelet says it (`validateContainerLogStatus`).
fn no_log(why: &NoLog, container: &Container) -> StatusError {
    let Container { namespace: _, pod, uid: _, name } = container;
    StatusError::bad_request(match why {
        NoLog::NoPrevious => {
            format!("previous terminated container \"{name}\" in pod \"{pod}\" not found")
        }
        NoLog::Waiting(reason) => {
            format!("container \"{name}\" in pod \"{pod}\" is waiting to start: {reason}")
        }
        NoLog::NotAvailable => format!("container \"{name}\" in pod \"{pod}\" is not available"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        let container = Container {
            namespace: "n".to_owned(),
            pod: "p".to_owned(),
            uid: "u".to_owned(),
            name: "c".to_owned(),
        };
        let check = |why, expected| assert_eq!(no_log(&why, &container).message, expected);
        check(NoLog::NoPrevious, "previous terminated container \"c\" in pod \"p\" not found");
        check(
            NoLog::Waiting("ContainerCreating".to_owned()),
            "container \"c\" in pod \"p\" is waiting to start: ContainerCreating",
        );
        check(NoLog::NotAvailable, "container \"c\" in pod \"p\" is not available");
    }

    #[test]
    fn options() {
        let check = |query: &str, expected: Result<LogOptions, &str>| {
            let now = Timestamp::from_second(100).unwrap();
            let options = Query::parse(query)
                .and_then(|query| LogQuery::parse(&query))
                .and_then(|query| query.options("p", now))
                .map_err(|error| error.message);
            assert_eq!(
                options.as_ref().map_err(String::as_str),
                expected.as_ref().map_err(|e| *e),
                "{query}"
            );
        };
        let nothing = LogOptions::default();
        check("", Ok(nothing.clone()));
        check("container=c&stream=All&insecureSkipTLSVerifyBackend=true", Ok(nothing.clone()));
        check(
            "follow=true&previous=false&timestamps=1&tailLines=0&limitBytes=7",
            Ok(LogOptions {
                follow: true,
                timestamps: true,
                tail_lines: Some(0),
                limit_bytes: Some(7),
                ..nothing.clone()
            }),
        );
        let since =
            |second| LogOptions { since: Timestamp::from_second(second).ok(), ..nothing.clone() };
        check("sinceSeconds=30", Ok(since(70)));
        check("sinceTime=1970-01-01T00:00:05Z", Ok(since(5)));
        check("sinceSeconds=9223372036854775807", Ok(nothing.clone()));
        check(
            "tailLines=-1&limitBytes=0&sinceSeconds=0",
            Err(
                "PodLogOptions \"p\" is invalid: [tailLines: Invalid value: -1: must be greater than or equal to 0, \
                 limitBytes: Invalid value: 0: must be greater than 0, sinceSeconds: Invalid value: 0: must be greater than 0]",
            ),
        );
        check(
            "tailLines=x",
            Err("invalid value \"x\" for parameter \"tailLines\": must be a number"),
        );
        check(
            "sinceTime=yesterday",
            Err(
                "invalid value \"yesterday\" for parameter \"sinceTime\": must be a time of RFC 3339",
            ),
        );
        let both = Query::parse("sinceSeconds=3&sinceTime=1970-01-01T00:00:05Z").unwrap();
        let error =
            LogQuery::parse(&both).unwrap().options("p", Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(
            error.message.contains("at most one of `sinceTime` or `sinceSeconds` may be specified")
        );
    }
}
