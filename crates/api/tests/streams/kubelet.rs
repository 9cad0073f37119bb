//! A node whose pods are programs of this machine: what a session reaches, without any node.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::{
    Container, Duplex, End, Kubelet, LogOptions, LogStream, NoLog, Pod, Refusal, StreamOptions,
    Streams, TerminalSize,
};
use futures::future::{BoxFuture, FutureExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::watch;

/// Runs commands where the test runs; attaches to an echo; forwards to ports of this machine.
#[derive(Default)]
pub(crate) struct Host {
    /// How many commands were run.
    pub(crate) commands: Arc<AtomicUsize>,
}

impl Kubelet for Host {
    fn log(&self, _: &Container, _: &LogOptions) -> Result<LogStream, NoLog> {
        Err(NoLog::Waiting("ContainerCreating".to_owned()))
    }

    fn reachable(&self, pod: &Pod) -> Result<(), Refusal> {
        match pod.name.as_str() {
            "pending" => Err(Refusal::Reason("the pod has no network yet".to_owned())),
            _ => Ok(()),
        }
    }

    fn exec<'a>(
        &'a self,
        _container: &'a Container,
        command: &'a [String],
        options: StreamOptions,
    ) -> BoxFuture<'a, Result<Streams, Refusal>> {
        self.commands.fetch_add(1, Ordering::Relaxed);
        async move {
            if options.tty {
                return Ok(terminal(options));
            }
            if command[0] == "gone" {
                return Err(Refusal::Reason("container not found (\"c\")".to_owned()));
            }
            let piped = |wanted| if wanted { Stdio::piped() } else { Stdio::null() };
            let spawned = Command::new(&command[0])
                .args(&command[1..])
                .stdin(piped(options.stdin))
                .stdout(piped(options.stdout))
                .stderr(piped(options.stderr))
                .kill_on_drop(true)
                .spawn();
            let mut child = match spawned {
                Ok(child) => child,
                Err(error) => {
                    let why = format!("{}: {error}", command[0]);
                    let end = async { End::Failed(why) }.boxed();
                    return Ok(Streams {
                        stdin: None,
                        stdout: None,
                        stderr: None,
                        resize: None,
                        end,
                    });
                }
            };
            Ok(Streams {
                stdin: child.stdin.take().map(|stream| Box::new(stream) as _),
                stdout: child.stdout.take().map(|stream| Box::new(stream) as _),
                stderr: child.stderr.take().map(|stream| Box::new(stream) as _),
                resize: None,
                end: async move { End::Code(child.wait().await.unwrap().code().unwrap_or(137)) }
                    .boxed(),
            })
        }
        .boxed()
    }

    fn attach<'a>(
        &'a self,
        _container: &'a Container,
        options: StreamOptions,
    ) -> BoxFuture<'a, Result<Streams, Refusal>> {
        async move { Ok(terminal(options)) }.boxed()
    }

    fn port_forward<'a>(
        &'a self,
        _pod: &'a Pod,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Duplex>, Refusal>> {
        async move {
            let connected = TcpStream::connect(("127.0.0.1", port)).await;
            connected.map(|stream| Box::new(stream) as _).map_err(|error| {
                let message = format!("connecting to 127.0.0.1:{port} in the pod: {error}");
                Refusal::Reason(message)
            })
        }
        .boxed()
    }
}

/// A process that says its terminal's sizes and what it is told, until that is `exit`.
fn terminal(options: StreamOptions) -> Streams {
    let (stdin, read) = duplex(1024);
    let (write, stdout) = duplex(1024);
    let (resize, sizes) = watch::channel(None);
    let ended = tokio::spawn(talk(read, write, sizes));
    Streams {
        stdin: options.stdin.then(|| Box::new(stdin) as _),
        stdout: options.stdout.then(|| Box::new(stdout) as _),
        stderr: None,
        resize: options.tty.then_some(resize),
        end: async { ended.await.unwrap() }.boxed(),
    }
}

async fn talk(
    mut read: DuplexStream,
    mut write: DuplexStream,
    mut sizes: watch::Receiver<Option<TerminalSize>>,
) -> End {
    let mut buffer = [0; 256];
    loop {
        tokio::select! {
            Ok(()) = sizes.changed() => {
                let size = *sizes.borrow_and_update();
                let TerminalSize { width, height } = size.unwrap();
                write.write_all(format!("{width}x{height}\r\n").as_bytes()).await.unwrap();
            }
            count = read.read(&mut buffer) => {
                let said = String::from_utf8_lossy(&buffer[..count.unwrap()]).into_owned();
                if said.is_empty() || said.contains("exit") {
                    write.write_all(b"bye\r\n").await.unwrap();
                    return End::Code(0);
                }
                write.write_all(format!("said {}\r\n", said.trim()).as_bytes()).await.unwrap();
            }
        }
    }
}
