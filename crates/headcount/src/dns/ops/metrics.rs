//! The metrics.

use cluster::ServiceKind;
use dns::forward::{ForwardEvent, Forwarder};
use dns::{DURATION_BOUNDS_NANOS, End, QueryType, Transport};
use manifest::Kind;

use super::State;
use super::observer::LATENCY_BOUNDS;
use super::state::Now;
use super::text::{Labels, Text};

pub(super) use super::text::Format;

/// All of them.
pub(super) fn text(state: &State, format: Format) -> String {
    let mut text = Text::new(format);
    text.gauges("headcount_build_info", "Which headcount this is.", |samples| {
        samples.add(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    });
    text.gauge(
        "headcount_dns_ready",
        "1 when queries should come here.",
        u8::from(state.is_ready()),
    );
    queries(&mut text, state);
    programming(&mut text, state);
    if let Some(Some(forwarder)) = state.forwarder.get() {
        forwarding(&mut text, forwarder);
    }
    if let Some(now) = &*state.now() {
        data(&mut text, now);
    }
    text.finish()
}

const TRANSPORTS: [(Transport, &str); 2] = [(Transport::Udp, "udp"), (Transport::Tcp, "tcp")];

fn queries(text: &mut Text, state: &State) {
    let counters = &state.counters;
    let help = "Queries by transport, type, response code and kind of answer.";
    text.counters("headcount_dns_queries", help, |samples| {
        for (transport, proto) in TRANSPORTS {
            for rtype in QueryType::ALL {
                for end in End::all() {
                    let count = counters.queries_of(transport, rtype, end);
                    // Most of them never happen.
                    if count > 0 {
                        let labels = [
                            ("proto", proto),
                            ("type", rtype.as_str()),
                            ("rcode", end.rcode()),
                            ("answer", end.as_str()),
                        ];
                        samples.add(&labels, count);
                    }
                }
            }
        }
    });
    let bounds = DURATION_BOUNDS_NANOS.map(|nanos| nanos as f64 / 1e9);
    let durations = TRANSPORTS.map(|(transport, _)| counters.durations(transport));
    let labels = TRANSPORTS.map(|(_, proto)| [("proto", proto)]);
    text.histograms(
        "headcount_dns_answer_duration_seconds",
        "Time from a query read to its reply made, of one query in 64.",
        &bounds,
        durations.iter().zip(&labels).map(|(durations, labels)| {
            (&labels[..], durations.counts.to_vec(), durations.sum_nanos as f64 / 1e9)
        }),
    );
    text.counter(
        "headcount_dns_truncated",
        "Replies over UDP with the TC flag.",
        counters.truncated(),
    );
    text.counter(
        "headcount_dns_refused_connections",
        "TCP connections closed at once because their client had too many.",
        counters.refused_connections(),
    );
    text.counter(
        "headcount_dns_lost_samples",
        "Queries picked for the log or for /debug/top that nobody was in time to take.",
        counters.lost_samples(),
    );
}

fn programming(text: &mut Text, state: &State) {
    let kinds = [(ServiceKind::ClusterIp, "cluster_ip"), (ServiceKind::Headless, "headless")];
    let labels = kinds.map(|(_, name)| [("service_kind", name)]);
    text.histograms(
        "headcount_dns_programming_duration_seconds",
        "Time from what changed an EndpointSlice, as its controller dates it, to its being answered.",
        &LATENCY_BOUNDS,
        kinds.iter().zip(&labels).map(|((kind, _), labels)| {
            let (counts, sum) = state.watcher.latencies(*kind);
            (&labels[..] as Labels<'_>, counts, sum)
        }),
    );
}

fn forwarding(text: &mut Text, forwarder: &Forwarder) {
    let help = "What became of queries for names outside the zone, and of questions to upstreams.";
    text.counters("headcount_dns_forward_events", help, |samples| {
        for event in ForwardEvent::ALL {
            let name = match event {
                ForwardEvent::Hit => "hit",
                ForwardEvent::Stale => "stale",
                ForwardEvent::Miss => "miss",
                ForwardEvent::Joined => "joined",
                ForwardEvent::Busy => "busy",
                ForwardEvent::Failed => "failed",
                ForwardEvent::Prefetched => "prefetched",
            };
            samples.add(&[("event", name)], forwarder.counters().get(event));
        }
    });
    text.gauge(
        "headcount_dns_forward_waiting",
        "Queries that wait for upstreams.",
        forwarder.waiting(),
    );
    let (answers, bytes) = forwarder.cache_usage();
    text.gauge("headcount_dns_cache_bytes", "Octets of upstreams' answers that are kept.", bytes);
    text.gauge("headcount_dns_cache_answers", "Upstreams' answers that are kept.", answers);
    let upstreams: Vec<_> = forwarder
        .upstreams()
        .into_iter()
        .map(|state| (state.upstream.to_string(), state))
        .collect();
    text.counters("headcount_dns_upstream_questions", "Questions put to an upstream.", |samples| {
        upstreams.iter().for_each(|(to, state)| samples.add(&[("upstream", to)], state.asked));
    });
    text.counters(
        "headcount_dns_upstream_failures",
        "Those that it did not answer in time.",
        |samples| {
            upstreams.iter().for_each(|(to, state)| samples.add(&[("upstream", to)], state.failed));
        },
    );
    text.gauges("headcount_dns_upstream_down", "1 while an upstream is passed over.", |samples| {
        upstreams
            .iter()
            .for_each(|(to, state)| samples.add(&[("upstream", to)], u8::from(state.is_down)));
    });
}

fn data(text: &mut Text, now: &Now) {
    let Now { reader, hearings: _, skips } = now;
    text.gauge("headcount_dns_services", "Services that are published.", reader.service_count());
    text.gauge("headcount_dns_endpoints", "Endpoints that are published.", reader.endpoint_count());
    if reader.config().cluster_set_domain.is_some() {
        text.gauge(
            "headcount_dns_service_imports",
            "ServiceImports that are published.",
            reader.import_count(),
        );
    }
    text.gauge(
        "headcount_dns_serial",
        "The zone's serial, rising with every change.",
        reader.serial(),
    );
    if let Some(skips) = skips {
        text.counters("headcount_dns_skipped_objects", "Objects left out, by why.", |samples| {
            samples.add(&[("reason", "fqdn_slice")], skips.fqdn_slices());
            samples.add(&[("reason", "unusable")], skips.unusable_objects());
        });
    }
    let hearings: Vec<_> =
        now.hearings().into_iter().map(|hearing| (Kind::of(hearing.kind).kind, hearing)).collect();
    if hearings.is_empty() {
        return;
    }
    let help = "Time since the API was last heard of, by kind: so old may be what is answered.";
    text.gauges("headcount_dns_data_age_seconds", help, |samples| {
        for (kind, hearing) in &hearings {
            if let Some(silent) = hearing.silent {
                samples.add(&[("kind", kind)], silent.as_secs_f64());
            }
        }
    });
    text.counters("headcount_dns_lists", "How often all objects were listed.", |samples| {
        hearings.iter().for_each(|(kind, hearing)| samples.add(&[("kind", kind)], hearing.lists));
    });
    text.counters("headcount_dns_watch_failures", "Lists and watches that failed.", |samples| {
        hearings
            .iter()
            .for_each(|(kind, hearing)| samples.add(&[("kind", kind)], hearing.failures));
    });
}
