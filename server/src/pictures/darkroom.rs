//! The process in which pictures are made, from outside: started, asked, and killed where it takes too long.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::{Answer, Look, PROTOCOL, Request, Storyboard, TIME_LIMIT};

/// A decoder that has not given up by itself after [`TIME_LIMIT`] hangs, and is killed so long after that.
const GRACE: Duration = Duration::from_secs(10);
/// The most bytes of an answer's head, and of the pictures behind it.
const MAX_HEAD_BYTES: u32 = 256 << 10;
const MAX_PICTURE_BYTES: u32 = 16 << 20;

/// Why no picture came out of it. Nothing else has suffered.
#[derive(Debug, thiserror::Error)]
pub enum DarkroomError {
    #[error("{reason}")]
    Media { reason: String, is_of_the_file: bool },
    #[error("the decoder's process died over it ({0})")]
    Died(String),
    #[error("the decoder hung for {} s and was killed", .0.as_secs())]
    Hung(Duration),
    #[error("the decoder's process cannot be used: {0}")]
    Process(#[from] std::io::Error),
}

impl DarkroomError {
    /// Whether the media are what is wrong, and no later try can do better.
    #[must_use]
    pub fn is_of_the_file(&self) -> bool {
        matches!(self, Self::Media { is_of_the_file: true, .. })
    }

    /// Whether the process is of no more use.
    #[must_use]
    pub fn ends_session(&self) -> bool {
        !matches!(self, Self::Media { .. })
    }
}

/// The program that runs. On Linux also where its file has been replaced by a newer one meanwhile.
#[must_use]
pub fn this_program() -> PathBuf {
    #[cfg(target_os = "linux")]
    let program = PathBuf::from("/proc/self/exe");
    #[cfg(not(target_os = "linux"))]
    let program = std::env::current_exe().unwrap_or_else(|_| "afterlive".into());
    program
}

/// Where pictures are made. Each recording gets a process of its own, which ends with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Darkroom {
    program: PathBuf,
    time_limit: Duration,
}

impl Darkroom {
    /// `program` is the binary `afterlive`.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), time_limit: TIME_LIMIT + GRACE }
    }

    /// Kills a process that has not answered a request after so long.
    #[must_use]
    pub fn with_time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// The program that runs. On Linux also where its file has been replaced by a newer one meanwhile.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self::new(this_program())
    }

    /// Starts a process, for one request or for several.
    ///
    /// # Errors
    /// Where the system does not start it.
    pub fn open(&self) -> Result<Session, DarkroomError> {
        let mut command = Command::new(&self.program);
        // No secret of ours may be in what a decoder can read.
        command.args(["pictures", "--protocol", &PROTOCOL.to_string()]).env_clear().current_dir("/").kill_on_drop(true);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("it has no pipes").into());
        };
        Ok(Session { child, requests, answers, time_limit: self.time_limit })
    }

    /// Facts and poster of a recording; the poster is missing where there is no video.
    ///
    /// # Errors
    /// As the file or the process is.
    pub async fn look(&self, path: &Path, duration_ms: u64) -> Result<Look, DarkroomError> {
        let request = Request::Look { path: utf8(path)?, duration_ms };
        match self.open()?.ask(&request, &[]).await? {
            (Answer::Looked { facts, poster }, pictures) => Ok(Look { facts, poster: poster.map(|_| pictures) }),
            _ => Err(strange()),
        }
    }

    /// `None` where there is no video.
    ///
    /// # Errors
    /// As the file or the process is.
    pub async fn storyboard(&self, path: &Path, duration_ms: u64) -> Result<Option<Storyboard>, DarkroomError> {
        let request = Request::Storyboard { path: utf8(path)?, duration_ms };
        match self.open()?.ask(&request, &[]).await? {
            (Answer::Storyboard { cues, sprite, decoded_packets }, pictures) => {
                Ok(sprite.map(|_| Storyboard { sprite: pictures, cues, decoded_packets }))
            }
            _ => Err(strange()),
        }
    }
}

/// A process that makes pictures; killed when dropped.
pub struct Session {
    child: Child,
    requests: ChildStdin,
    answers: ChildStdout,
    time_limit: Duration,
}

impl Session {
    /// A JPEG of the first keyframe of an MP4, given in parts.
    ///
    /// # Errors
    /// As the media or the process are; after [`DarkroomError::ends_session`] there will be no more answers.
    pub async fn still(&mut self, mp4: &[Bytes]) -> Result<Bytes, DarkroomError> {
        match self.ask(&Request::Still, mp4).await? {
            (Answer::Still { .. }, picture) => Ok(picture),
            _ => Err(strange()),
        }
    }

    async fn ask(&mut self, request: &Request<'_>, media: &[Bytes]) -> Result<(Answer, Bytes), DarkroomError> {
        let limit = self.time_limit;
        match timeout(limit, self.exchange(request, media)).await.map_err(|_| DarkroomError::Hung(limit))? {
            Ok((Answer::Failed { reason, is_of_the_file }, _)) => Err(DarkroomError::Media { reason, is_of_the_file }),
            Ok(answer) => Ok(answer),
            Err(error) if is_end(&error) => {
                let status = timeout(GRACE, self.child.wait()).await.map_err(|_| DarkroomError::Hung(GRACE))??;
                Err(DarkroomError::Died(status.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn exchange(&mut self, request: &Request<'_>, media: &[Bytes]) -> std::io::Result<(Answer, Bytes)> {
        let head = serde_json::to_vec(request)?;
        let media_bytes = media.iter().map(Bytes::len).sum::<usize>();
        let lengths = [head.len(), media_bytes].map(|length| u32::try_from(length).unwrap_or(u32::MAX));
        for length in lengths {
            self.requests.write_u32_le(length).await?;
        }
        self.requests.write_all(&head).await?;
        for part in media {
            self.requests.write_all(part).await?;
        }
        self.requests.flush().await?;
        let (head_bytes, picture_bytes) = (self.answers.read_u32_le().await?, self.answers.read_u32_le().await?);
        if head_bytes > MAX_HEAD_BYTES || picture_bytes > MAX_PICTURE_BYTES {
            return Err(std::io::Error::other("its answer is too long"));
        }
        let mut head = vec![0; head_bytes as usize];
        self.answers.read_exact(&mut head).await?;
        let mut pictures = BytesMut::zeroed(picture_bytes as usize);
        self.answers.read_exact(&mut pictures).await?;
        Ok((serde_json::from_slice(&head)?, pictures.freeze()))
    }
}

fn is_end(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn strange() -> DarkroomError {
    DarkroomError::Process(std::io::Error::other("it answered another question"))
}

fn utf8(path: &Path) -> Result<&str, DarkroomError> {
    path.to_str().ok_or_else(|| DarkroomError::Process(std::io::Error::other(format!("{} is not UTF-8", path.display()))))
}
