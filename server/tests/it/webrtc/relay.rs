//! A network between a client and the server: it loses what it is told to lose, by a seed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Passes datagrams between the server and whoever else sends to it.
pub struct Relay {
    pub address: SocketAddr,
    percent: Arc<AtomicU32>,
    lost: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Relay {
    pub async fn to(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (percent, lost) = (Arc::<AtomicU32>::default(), Arc::<AtomicU64>::default());
        let (percent_now, lost_so_far) = (Arc::clone(&percent), Arc::clone(&lost));
        let task = tokio::spawn(async move {
            let mut chance = StdRng::seed_from_u64(7);
            let (mut client, mut buffer) = (None, [0; 2_000]);
            loop {
                let Ok((length, source)) = socket.recv_from(&mut buffer).await else { continue };
                if source != server {
                    client = Some(source);
                }
                if chance.random_range(0..100) < percent_now.load(Ordering::Relaxed) {
                    lost_so_far.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let Some(destination) = (if source == server { client } else { Some(server) }) else { continue };
                let _ = socket.send_to(&buffer[..length], destination).await;
            }
        });
        Self { address, percent, lost, task }
    }

    /// Of a hundred datagrams, in both directions.
    pub fn lose(&self, percent: u32) {
        self.percent.store(percent, Ordering::Relaxed);
    }

    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
