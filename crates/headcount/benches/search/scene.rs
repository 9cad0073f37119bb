//! The servers, and the files by which resolvers find them.

use std::error::Error;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{names, upstream};

const UPSTREAM: &str = "127.0.0.2:53";
const METRICS: &str = "127.0.0.1:9153";

const SETTINGS: &str = "listen: ['127.0.0.1:53']\n\
                        searchNames: true\n\
                        metrics: 127.0.0.1:9153\n\
                        forward: { upstreams: ['127.0.0.2:53'] }\n";

/// A server that runs until this is dropped, in namespaces that it has to itself.
pub(crate) struct Scene {
    resolv_conf: PathBuf,
    server: Child,
}

impl Scene {
    pub(crate) fn start(folder: &Path) -> Result<Self, Box<dyn Error>> {
        run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
        let resolv_conf = folder.join("resolv.conf");
        let nsswitch_conf = folder.join("nsswitch.conf");
        fs::write(&resolv_conf, "")?;
        // As it is in most images; a machine's own may name other sources before DNS.
        fs::write(&nsswitch_conf, "hosts: files dns\n")?;
        for (own, name) in
            [(&resolv_conf, "/etc/resolv.conf"), (&nsswitch_conf, "/etc/nsswitch.conf")]
        {
            run(Command::new("mount").arg("--bind").arg(own).arg(name))?;
        }

        upstream::serve(UPSTREAM)?;
        let (manifests, settings) = (folder.join("objects.yaml"), folder.join("settings.yaml"));
        fs::write(&manifests, names::objects())?;
        fs::write(&settings, SETTINGS)?;
        let log = folder.join("log");
        let mut server = Command::new(env!("CARGO_BIN_EXE_headcount"))
            .arg("dns")
            .arg("-f")
            .arg(manifests)
            .arg("--config")
            .arg(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while metrics().is_err() {
            if server.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(format!("it does not start:\n{}", fs::read_to_string(&log)?).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { resolv_conf, server })
    }

    /// What resolvers read from now on.
    pub(crate) fn set_search(&self, search: &str) -> Result<(), Box<dyn Error>> {
        // The file is mounted, so it must stay the same one.
        let text = format!("nameserver 127.0.0.1\nsearch {search}\noptions ndots:5\n");
        Ok(fs::write(&self.resolv_conf, text)?)
    }

    /// What the server was asked so far. A question is counted after its reply has left.
    pub(crate) fn questions(&self) -> Result<f64, Box<dyn Error>> {
        let mut before = counted()?;
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let now = counted()?;
            if now == before {
                return Ok(now);
            }
            before = now;
        }
    }
}

fn counted() -> Result<f64, Box<dyn Error>> {
    let text = metrics()?;
    let lines = text.lines().filter(|line| line.starts_with("headcount_dns_queries_total{"));
    let mut sum = 0.0;
    for line in lines {
        let (_, number) = line.rsplit_once(' ').ok_or("a metric without a value")?;
        sum += number.parse::<f64>()?;
    }
    Ok(sum)
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn metrics() -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(METRICS)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(()),
        false => {
            Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
        }
    }
}
