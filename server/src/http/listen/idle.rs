//! How long a connection may stand idle, or take for the head of a request. hyper keeps that time, and does not know of all that goes on.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use super::waiting::{Stand, Waiting};
use crate::http::repeat::Repeats;

/// A timer that does not run out before the connection has been idle for the period, or its place is needed. hyper has one for as long as it waits for a head, and
/// ends the connection when that runs out.
pub(in crate::http) struct IdleTimer {
    period: Duration,
    repeats: Repeats,
    waiting: Waiting,
}

impl IdleTimer {
    pub(in crate::http) fn new(period: Duration, repeats: Repeats, waiting: Waiting) -> Self {
        Self { period, repeats, waiting }
    }
}

impl Timer for IdleTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let sleep = Box::pin(tokio::time::sleep_until(deadline.into()));
        let (repeats, stand) = (self.repeats.clone(), self.waiting.begin(self.repeats.clone()));
        Box::pin(IdleSleep { sleep, period: self.period, repeats, stand })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

struct IdleSleep {
    sleep: Pin<Box<tokio::time::Sleep>>,
    period: Duration,
    repeats: Repeats,
    stand: Stand,
}

impl Sleep for IdleSleep {}

impl Future for IdleSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.stand.poll_sent_away(context).is_ready() {
            return Poll::Ready(());
        }
        loop {
            ready!(self.sleep.as_mut().poll(context));
            let now = tokio::time::Instant::now();
            let until = self.repeats.busy_at(now).map(|at| at + self.period);
            match until {
                Some(until) if until > now => self.sleep.as_mut().reset(until),
                _ => return Poll::Ready(()),
            }
        }
    }
}
