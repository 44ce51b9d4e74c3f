//! How long requests take, from the first byte sent to the last one received.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::http::Connection;

/// Requests before those that count: what comes first opens connections and prepares statements.
const WARM_UP: usize = 20;

/// In milliseconds, ascending.
pub(crate) struct Latencies(Vec<f64>);

impl Latencies {
    fn new(mut times_ms: Vec<f64>) -> Self {
        times_ms.sort_by(f64::total_cmp);
        Self(times_ms)
    }

    fn at(&self, part: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median_ms(&self) -> f64 {
        self.at(0.5)
    }

    pub(crate) fn p99_ms(&self) -> f64 {
        self.at(0.99)
    }
}

/// A whole request.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    fn send(&self, connection: &mut Connection) -> Result<f64> {
        let began = Instant::now();
        connection.call(self.method, &self.path, &self.head, &self.body)?;
        Ok(began.elapsed().as_secs_f64() * 1_000.0)
    }
}

/// One after the other, on one connection.
pub(crate) fn one_by_one(connection: &mut Connection, requests: usize, request: impl Fn(usize) -> Request) -> Result<Latencies> {
    for n in 0..WARM_UP {
        request(n).send(connection)?;
    }
    let times: Result<_> = (0..requests).map(|n| request(n).send(connection)).collect();
    times.map(Latencies::new)
}

/// On many connections at once, each with the next request as soon as the one before is answered; also how many a second they came to.
pub(crate) fn at_once(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    request: impl Fn(usize) -> Request + Sync,
) -> Result<(Latencies, f64)> {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let ask = || {
        let mut connection = Connection::open(address)?;
        let mut times = Vec::new();
        while began.elapsed() < time {
            times.push(request(next.fetch_add(1, Ordering::Relaxed)).send(&mut connection)?);
        }
        Ok::<_, anyhow::Error>(times)
    };
    let times: Result<Vec<Vec<f64>>> = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..connections).map(|_| scope.spawn(ask)).collect();
        askers.into_iter().map(|asker| asker.join().map_err(|_| anyhow!("a thread has panicked"))?).collect()
    });
    let times: Vec<f64> = times?.into_iter().flatten().collect();
    let a_second = times.len() as f64 / began.elapsed().as_secs_f64();
    Ok((Latencies::new(times), a_second))
}
