//! The peer: nginx, recording what it gets by its RTMP module, or serving files by sendfile. Everything it writes lies in a folder of its own.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use afterlive_media::rtmp::Destination;
use anyhow::{Result, bail};

use crate::afterlive::{free_address, remove};
use crate::process::Process;
use crate::publisher::Ingest;
use crate::settings::Settings;

const START_LIMIT: Duration = Duration::from_secs(10);

pub(crate) struct Nginx {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// Records each publish as FLV, all that the module can. One worker: the least that it costs.
    pub(crate) fn recording(settings: &Settings) -> Result<Self> {
        let (address, module) = (free_address()?, settings.nginx_rtmp.display().to_string());
        Self::start(settings, address, |folder| {
            let recordings = folder.join("recordings");
            std::fs::create_dir_all(&recordings)?;
            let recordings = recordings.display();
            Ok(format!(
                "load_module {module};\nworker_processes 1;\nevents {{ worker_connections 2048; }}\n\
                 rtmp {{ access_log off; server {{ listen {address}; chunk_size 4096;\n\
                 application rec {{ live on; record all; record_path {recordings}; record_unique on; }} }} }}\n"
            ))
        })
    }

    /// Passes each publish on to who plays it, and keeps nothing.
    pub(crate) fn playing(settings: &Settings) -> Result<Self> {
        let (address, module) = (free_address()?, settings.nginx_rtmp.display().to_string());
        Self::start(settings, address, |_| {
            Ok(format!(
                "load_module {module};\nworker_processes 1;\nevents {{ worker_connections 2048; }}\n\
                 rtmp {{ access_log off; server {{ listen {address}; chunk_size 4096;\n\
                 application rec {{ live on; }} }} }}\n"
            ))
        })
    }

    /// Serves a folder, as one would set it up for large files. Without `tcp_nopush`: over loopback it lets each small range wait for 40 ms.
    pub(crate) fn serving(settings: &Settings, root: &Path) -> Result<Self> {
        let address = free_address()?;
        Self::start(settings, address, |folder| {
            let (root, temporary) = (root.display(), folder.display());
            let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|name| format!("{name}_temp_path {temporary}/{name};\n"))
                .concat();
            Ok(format!(
                "worker_processes auto;\nevents {{ worker_connections 1024; }}\n\
                 http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; open_file_cache max=100;\n\
                 types {{ video/mp4 mp4; }}\n{paths}server {{ listen {address}; root {root}; }} }}\n"
            ))
        })
    }

    fn start(settings: &Settings, address: SocketAddr, body: impl FnOnce(&PathBuf) -> Result<String>) -> Result<Self> {
        let folder = settings.work.join("nginx");
        remove(&folder)?;
        std::fs::create_dir_all(&folder)?;
        // It would drop root's rights, and then could not write there.
        let user = if process_is_root()? { "user root;\n" } else { "" };
        let own = folder.display();
        let head = format!("daemon off;\n{user}pid {own}/nginx.pid;\nerror_log {own}/error.log warn;\n");
        let config = folder.join("nginx.conf");
        std::fs::write(&config, head + &body(&folder)?)?;
        let mut command = Command::new(&settings.nginx);
        command.arg("-p").arg(&folder).arg("-e").arg(folder.join("error.log")).arg("-c").arg(&config);
        let mut process = Process::start(&mut command, &settings.work.join("nginx.log"))?;
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(address).is_err() {
            if process.has_ended() || Instant::now() > deadline {
                bail!("nginx does not serve; see {}/nginx.log", settings.work.display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { process, address })
    }

    pub(crate) fn ingest(&self, name: &str) -> Ingest {
        let tc_url = format!("rtmp://{}/rec", self.address);
        Ingest { address: self.address, destination: Destination { app: "rec".to_owned(), tc_url, name: name.to_owned() } }
    }
}

fn process_is_root() -> Result<bool> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    Ok(status.lines().any(|line| line.starts_with("Uid:\t0\t")))
}
