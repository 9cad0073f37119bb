mod support;
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn first() {
    let trial = Trial::start().await;
    println!("nft {}", trial.engine.has_nft());
    let pod = trial.pod("a", 5).await;
    let t = std::time::Instant::now();
    let running = trial.shell(&pod, "ip a; ip r; ip -6 r; id; cat /etc/passwd | head -2; mount; ls -la / /dev /proc/self/fd; env; ps; hostname; ping -c1 10.244.1.1; cat /proc/self/status | grep -i -E 'cap|nonew|seccomp'; unshare -U true; ls /sys").await.unwrap();
    println!("{:?}", t.elapsed());
    let e = running.end().await;
    println!("{:?} {:?}\n{}\n{}", t.elapsed(), e.exit, e.out, e.err);
}
