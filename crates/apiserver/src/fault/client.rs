//! Faults in front of any API server, also a real one: a client that meets them, while
//! other clients of the same server do not.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::Frame;
use tower::{BoxError, Service};

use super::{FaultAction, FaultPlan, Refusal, Target};
use crate::reply::{Dropped, Reply};
use crate::route::{Query, Route, route};
use crate::status::Failure;

/// Faults that clients share. Clones are the same faults.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Mutex<FaultPlan>>);

impl Faults {
    /// None yet. The seed is for faults that come by [`FaultPlan::chance`].
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(FaultPlan::new(seed))))
    }

    /// Access to the plan: what is added acts on later requests.
    pub fn plan<R>(&self, edit: impl FnOnce(&mut FaultPlan) -> R) -> R {
        edit(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A client that meets these faults on its way to where `client` leads. A
    /// matcher's user is not known there and fits the empty name alone, and
    /// [`FaultAction::Stale`], which takes a server's history, is answered with 500.
    ///
    /// Must be called on a tokio runtime: `kube::Client` keeps a task there.
    #[must_use]
    pub fn before(&self, client: kube::Client, namespace: &str) -> kube::Client {
        let misbehaving = Misbehaving {
            client,
            faults: self.clone(),
        };
        kube::Client::new(misbehaving, namespace)
    }

    fn next(&self, request: &Request<kube::client::Body>) -> Option<(FaultAction, Route)> {
        let route = route(request.uri().path()).ok()?;
        let target = Target {
            method: request.method(),
            route: &route,
            query: &Query::parse(request.uri().query()),
            user: "",
        };
        let action = self.plan(|plan| plan.next(&target))?;
        Some((action, route))
    }
}

/// A client with faults in front of it.
#[derive(Clone)]
struct Misbehaving {
    client: kube::Client,
    faults: Faults,
}

type Body = UnsyncBoxBody<Bytes, BoxError>;

impl Service<Request<kube::client::Body>> for Misbehaving {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The client queues what it cannot send yet.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let fault = self.faults.next(&request);
        let client = self.client.clone();
        Box::pin(async move {
            let Some((action, route)) = fault else {
                return Ok(whole(client.send(request).await?));
            };
            match action {
                FaultAction::Fail(refusal) => Ok(answer(refusal.reply())),
                FaultAction::Conflict => Ok(answer(Reply::failure(&conflict(&route)))),
                FaultAction::Expired => Ok(answer(Reply::failure(&expired()))),
                FaultAction::Drop => Err(Dropped.into()),
                FaultAction::Delay(time) => {
                    tokio::time::sleep(time).await;
                    Ok(whole(client.send(request).await?))
                }
                FaultAction::LoseAnswer => {
                    let answer = client.send(request).await?;
                    // It is done for certain only when all of the answer is there.
                    let _ = answer.into_body().collect().await;
                    Err(Dropped.into())
                }
                FaultAction::BreakWatch { after } => Ok(broken(client.send(request).await?, after)),
                FaultAction::Stale { .. } => Ok(answer(no_history().reply())),
            }
        })
    }
}

/// What [`FaultAction::Stale`] comes to where there is no history.
fn no_history() -> Refusal {
    Refusal {
        code: 500,
        reason: "InternalError".to_owned(),
        message: "an older state can be had from the embedded API server alone".to_owned(),
    }
}

/// What somebody is told whose object has changed meanwhile.
pub(crate) fn conflict(route: &Route) -> Failure {
    match route {
        Route::Resource(path) => Failure::stale(
            &path.group,
            &path.plural,
            path.name.as_deref().unwrap_or_default(),
        ),
        _ => Failure::stale("", "", ""),
    }
}

/// What somebody is told who watches from a version that is forgotten.
pub(crate) fn expired() -> Failure {
    Failure::expired("The resourceVersion for the provided watch is too old.")
}

fn answer(reply: Reply) -> Response<Body> {
    whole(reply.into_response())
}

fn whole<B>(response: Response<B>) -> Response<Body>
where
    B: http_body_util::BodyExt<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}

/// Cuts the body after so many events, each of which is a line, however many come at
/// once.
fn broken(response: Response<kube::client::Body>, after: usize) -> Response<Body> {
    response.map(|body| {
        let frames = BodyStream::new(body);
        // Cut at once when the last event is out, not when another one comes.
        let whole = stream::unfold((frames, after), |(mut frames, mut left)| async move {
            if left == 0 {
                return None;
            }
            let frame = frames.next().await?;
            let frame = frame.map(|frame| first_lines(frame, &mut left));
            Some((frame.map_err(BoxError::from), (frames, left)))
        });
        let cut = stream::once(async { Err(BoxError::from(Dropped)) });
        StreamBody::new(whole.chain(cut)).boxed_unsync()
    })
}

/// As much of a frame as has no more line ends than are left.
fn first_lines(frame: Frame<Bytes>, left: &mut usize) -> Frame<Bytes> {
    frame.map_data(|data| {
        let ends = data.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let ends: Vec<usize> = ends.map(|(at, _)| at + 1).take(*left).collect();
        *left -= ends.len();
        match ends.last() {
            Some(end) if *left == 0 => data.slice(..*end),
            _ => data,
        }
    })
}
