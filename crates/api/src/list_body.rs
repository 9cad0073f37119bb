//! The body of a list, written while it is read: a client that does not read it costs one frame, and the objects that
//! the store holds anyway.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use serde_json::Value;

use crate::body::FRAME_BYTES;

/// Writes a stored object into a list.
pub(crate) type WriteItem = Box<dyn FnMut(&[u8], &mut Vec<u8>) + Send>;

/// A JSON object whose last field is a list of objects.
pub(crate) struct ListBody {
    /// What comes before the next item.
    before: Vec<u8>,
    /// The objects as stored.
    items: std::vec::IntoIter<Bytes>,
    /// How they are written, where that is not as they are stored.
    write: Option<WriteItem>,
    first: bool,
    /// A large object, shared rather than copied into a frame.
    next: Option<Bytes>,
    ended: bool,
    /// The bytes to come, where that is known beforehand.
    left: Option<u64>,
}

impl ListBody {
    /// The fields of `head`, then the list named `field`.
    pub(crate) fn new(
        head: &Value,
        field: &str,
        items: Vec<Bytes>,
        write: Option<WriteItem>,
    ) -> Self {
        let mut before = crate::body::to_bytes(head).to_vec();
        before.pop();
        before.extend_from_slice(format!(",\"{field}\":[").as_bytes());
        let left = write.is_none().then(|| {
            let commas = items.len().saturating_sub(1);
            let objects: usize = items.iter().map(Bytes::len).sum();
            (before.len() + objects + commas + END.len()) as u64
        });
        let items = items.into_iter();
        Self { before, items, write, first: true, next: None, ended: false, left }
    }

    /// All of it at once.
    pub(crate) fn whole(mut self) -> Bytes {
        let mut whole = Vec::new();
        while let Some(frame) = self.next_frame() {
            whole.extend_from_slice(&frame);
        }
        whole.into()
    }

    fn next_frame(&mut self) -> Option<Bytes> {
        if let Some(object) = self.next.take() {
            return Some(object);
        }
        if self.ended {
            return None;
        }
        let mut frame = std::mem::take(&mut self.before);
        while frame.len() < FRAME_BYTES {
            let Some(object) = self.items.next() else {
                frame.extend_from_slice(END);
                self.ended = true;
                break;
            };
            if !std::mem::take(&mut self.first) {
                frame.push(b',');
            }
            match &mut self.write {
                Some(write) => write(&object, &mut frame),
                None if object.len() < FRAME_BYTES => frame.extend_from_slice(&object),
                None => {
                    self.next = Some(object);
                    break;
                }
            }
        }
        Some(frame.into())
    }
}

const END: &[u8] = b"]}";

impl http_body::Body for ListBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = loop {
            match self.next_frame() {
                Some(frame) if frame.is_empty() => {}
                frame => break frame,
            }
        };
        if let (Some(frame), Some(left)) = (&frame, &mut self.left) {
            *left -= frame.len() as u64;
        }
        Poll::Ready(frame.map(|frame| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.next.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;
    use http_body_util::BodyExt as _;
    use serde_json::json;

    use super::*;

    /// Lists of objects of these sizes come whole, in frames of bounded size, and as long as was said.
    async fn check(sizes: &[usize], write: Option<fn() -> WriteItem>) {
        let objects: Vec<Value> =
            sizes.iter().map(|size| json!({ "x": "y".repeat(*size) })).collect();
        let items = objects.iter().map(crate::body::to_bytes).collect();
        let head = json!({ "kind": "List" });
        let mut body = ListBody::new(&head, "items", items, write.map(|make| make()));
        let said = body.size_hint().exact();
        assert_eq!(said.is_some(), write.is_none());
        let mut whole = Vec::new();
        while !body.is_end_stream() {
            let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
            let largest = sizes.iter().max().copied().unwrap_or_default();
            assert!(frame.len() <= FRAME_BYTES + largest + 64, "{}", frame.len());
            whole.extend_from_slice(&frame);
        }
        assert!(body.frame().await.is_none());
        assert_eq!(body.size_hint().exact().unwrap_or_default(), 0);
        assert_eq!(said.unwrap_or(whole.len() as u64), whole.len() as u64);
        let read: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(read, json!({ "kind": "List", "items": objects }));
    }

    #[tokio::test]
    async fn whole_and_in_bounded_frames() {
        let large = 3 * FRAME_BYTES;
        for sizes in
            [&[][..], &[1], &[1, 2, 3], &[100; 2000], &[large], &[large, large], &[1, large, 1]]
        {
            check(sizes, None).await;
            check(sizes, Some(|| Box::new(|json, out| out.extend_from_slice(json)))).await;
        }
    }
}
