//! How long a hundred pods take to start and to end, and what an engine keeps of each.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use sandbox::{
    ContainerId, ContainerSpec, Engine, Limits, PodAddress, PodId, PodNetwork, PodSpec,
    ProcessSpec, Settings, Stdio, User,
};

const PODS: u8 = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    sandbox::run_if_asked();
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> Result<(), Box<dyn std::error::Error>> {
    let at_once: usize = std::env::args().nth(1).map_or(Ok(4), |at_once| at_once.parse())?;
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))?;
    let begun = Instant::now();
    let settings = Settings {
        folder: folder.path().to_owned(),
        service_ranges: vec!["10.96.0.0/12".parse()?],
        node_addresses: vec!["172.18.0.2".parse()?],
        program: None,
    };
    let engine = Engine::start(settings).await?;
    eprintln!("the engine: {:?}", begun.elapsed());

    let before = memory(&engine);
    let begun = Instant::now();
    let turns = std::sync::Arc::new(tokio::sync::Semaphore::new(at_once));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=PODS {
        let (engine, turns) = (engine.clone(), turns.clone());
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            start(&engine, number).await
        });
    }
    while let Some(started) = tasks.join_next().await {
        started??;
    }
    eprintln!("{PODS} pods, {at_once} at once: {:?}", begun.elapsed());
    let after = memory(&engine);
    let each = after.saturating_sub(before) / u64::from(PODS);
    eprintln!("the engine's own memory: {before} kB, and {each} kB more a pod");

    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=PODS {
        let engine = engine.clone();
        tasks.spawn(async move { engine.remove_pod(&id(number)).await });
    }
    while let Some(removed) = tasks.join_next().await {
        removed??;
    }
    eprintln!("removed: {:?}", begun.elapsed());
    let begun = Instant::now();
    engine.shutdown().await;
    eprintln!("the engine's end: {:?}", begun.elapsed());
    Ok(())
}

fn id(number: u8) -> PodId {
    PodId(format!("pod-{number}"))
}

async fn start(engine: &Engine, number: u8) -> Result<(), sandbox::Failure> {
    let id = id(number);
    let address = IpAddr::from([10, 244, 1, number + 1]);
    let address = PodAddress { address: address.into(), gateway: [10, 244, 1, 1].into() };
    let network = PodNetwork::Own(vec![address]);
    engine.create_pod(PodSpec { id: id.clone(), network }).await?;
    let spec = ContainerSpec {
        id: ContainerId { pod: id, name: "main".into(), restarts: 0 },
        process: ProcessSpec {
            command: vec!["sleep".into(), "1000".into()],
            env: Vec::new(),
            working_dir: "/".into(),
            user: User::default(),
        },
        hostname: format!("pod-{number}"),
        mounts: Vec::new(),
        read_only_root: false,
        limits: Limits::default(),
    };
    let stdio = Stdio::Pipes { stdin: None, stdout: None, stderr: None };
    engine.start_container(spec, stdio).await.map(drop)
}

/// What the engine's two processes have for themselves, in kB.
fn memory(engine: &Engine) -> u64 {
    let guard = engine.pid();
    let children = fs::read_to_string(format!("/proc/{guard}/task/{guard}/children"));
    let children = children.unwrap_or_default();
    let own = |pid: &str| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        rollup
            .lines()
            .filter(|line| line.starts_with("Private_"))
            .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
            .sum::<u64>()
    };
    own(&guard.to_string()) + children.split_whitespace().map(own).sum::<u64>()
}
