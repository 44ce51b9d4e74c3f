//! How long a connection may stand idle, or take for the head of a request. hyper keeps that time, and does not know of all that goes on.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use crate::http::repeat::Repeats;

/// A timer that does not run out before the connection has been idle for the period.
pub(in crate::http) struct IdleTimer {
    period: Duration,
    repeats: Repeats,
}

impl IdleTimer {
    pub(in crate::http) fn new(period: Duration, repeats: Repeats) -> Self {
        Self { period, repeats }
    }
}

impl Timer for IdleTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let sleep = Box::pin(tokio::time::sleep_until(deadline.into()));
        Box::pin(IdleSleep { sleep, period: self.period, repeats: self.repeats.clone() })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

struct IdleSleep {
    sleep: Pin<Box<tokio::time::Sleep>>,
    period: Duration,
    repeats: Repeats,
}

impl Sleep for IdleSleep {}

impl Future for IdleSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
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
