//! Answers: what a handler gives back, as an HTTP response with a whole body
//! or a stream of lines.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use http::{HeaderValue, Response, header};
use hyper::body::{Body, Frame, SizeHint};
use serde_json::Value;

use crate::status::Failure;

/// The connection was cut on purpose, before or while answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("connection reset by peer")]
pub struct Dropped;

pub(crate) type Lines = Pin<Box<dyn Stream<Item = Result<Bytes, Dropped>> + Send>>;

/// The body of a response.
pub struct ReplyBody(Inner);

enum Inner {
    Whole(Option<Bytes>),
    Stream(Lines),
}

impl std::fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Inner::Whole(bytes) => f.debug_tuple("ReplyBody").field(bytes).finish(),
            Inner::Stream(_) => f.write_str("ReplyBody(stream)"),
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        match &mut self.0 {
            Inner::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Inner::Stream(stream) => stream
                .as_mut()
                .poll_next(cx)
                .map(|next| next.map(|line| line.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Inner::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Whole(None) => SizeHint::with_exact(0),
            Inner::Stream(_) => SizeHint::default(),
        }
    }
}

/// An answer on its way to becoming a response.
pub(crate) struct Reply {
    code: u16,
    content_type: String,
    body: Inner,
    pub(crate) warnings: Vec<String>,
    retry_after: Option<u32>,
}

impl Reply {
    pub(crate) fn bytes(code: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            code,
            content_type: content_type.to_owned(),
            body: Inner::Whole(Some(body.into())),
            warnings: Vec::new(),
            retry_after: None,
        }
    }

    pub(crate) fn json(code: u16, body: impl Into<Bytes>) -> Self {
        Self::bytes(code, "application/json", body)
    }

    pub(crate) fn value(code: u16, value: &Value) -> Self {
        Self::json(code, value.to_string())
    }

    pub(crate) fn stream(content_type: &str, lines: Lines) -> Self {
        Self {
            body: Inner::Stream(lines),
            ..Self::bytes(200, content_type, Bytes::new())
        }
    }

    pub(crate) fn failure(failure: &Failure) -> Self {
        if failure.is_plain() {
            let text = failure.message().to_owned();
            return Self::bytes(failure.code(), "text/plain; charset=utf-8", text);
        }
        Self {
            retry_after: failure.retry_after(),
            ..Self::value(failure.code(), &failure.to_status())
        }
    }

    /// Cuts a stream after so many frames; a whole body is not touched.
    pub(crate) fn break_after(&mut self, frames: usize) {
        if let Inner::Stream(stream) = &mut self.body {
            use futures::StreamExt;
            let inner = std::mem::replace(stream, Box::pin(futures::stream::empty()));
            // Pending once, so that a connection sends what it has before it ends.
            let cut = futures::stream::once(async {
                tokio::task::yield_now().await;
                Err(Dropped)
            });
            *stream = Box::pin(inner.take(frames).chain(cut));
        }
    }

    pub(crate) fn into_response(self) -> Response<ReplyBody> {
        let mut response = Response::new(ReplyBody(self.body));
        if let Ok(code) = http::StatusCode::from_u16(self.code) {
            *response.status_mut() = code;
        }
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&self.content_type) {
            headers.insert(header::CONTENT_TYPE, value);
        }
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-cache, private"),
        );
        for warning in &self.warnings {
            if let Ok(value) = HeaderValue::from_str(&warning_header(warning)) {
                headers.append(header::WARNING, value);
            }
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A warning as its header carries it.
fn warning_header(warning: &str) -> String {
    let mut header = String::with_capacity(warning.len() + 16);
    header.push_str("299 - \"");
    for c in warning.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            header.push('\\');
        }
        header.push(c);
    }
    header.push('"');
    header
}
