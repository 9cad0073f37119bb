use tokio::io::{AsyncWriteExt as _, duplex};

use super::*;

fn start(
    interactive: bool,
) -> (Arc<Output>, watch::Receiver<u64>, tokio::io::DuplexStream, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (writer, reader) = duplex(1 << 20);
    let log = LogFile::new(folder.path().join("0.log"));
    let (output, written) = Output::start(Some(Box::new(reader)), None, log, interactive);
    (output, written, writer, folder)
}

async fn end(mut written: watch::Receiver<u64>) {
    while written.changed().await.is_ok() {}
}

async fn read(mut pieces: mpsc::Receiver<Piece>) -> String {
    let mut text = String::new();
    while let Some((_, bytes)) = pieces.recv().await {
        text += std::str::from_utf8(&bytes).unwrap();
    }
    text
}

#[tokio::test]
async fn the_first_who_attaches_misses_nothing_of_an_interactive_container() {
    let (output, written, mut writer, _folder) = start(true);
    writer.write_all(b"early\n").await.unwrap();
    drop(writer);
    end(written).await;
    // It has ended before anybody came.
    while !output.lock().ended {
        tokio::task::yield_now().await;
    }
    assert_eq!(read(output.attach().unwrap()).await, "early\n");
    assert!(output.attach().is_err());
}

#[tokio::test]
async fn who_attaches_sees_what_comes() {
    let (output, mut written, mut writer, folder) = start(false);
    writer.write_all(b"before\n").await.unwrap();
    written.changed().await.unwrap();
    let (first, second) = (output.attach().unwrap(), output.attach().unwrap());
    writer.write_all(b"now\n").await.unwrap();
    drop(writer);
    assert!(["now\n", "before\nnow\n"].contains(&&*read(first).await));
    assert!(read(second).await.ends_with("now\n"));
    let log = std::fs::read_to_string(folder.path().join("0.log")).unwrap();
    assert_eq!(log.lines().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_holds_nobody_for_long() {
    let (output, written, mut writer, _folder) = start(false);
    let silent = output.attach().unwrap();
    for _ in 0..WAITING + 8 {
        writer.write_all(&[b'x'; CHUNK_BYTES]).await.unwrap();
    }
    drop(writer);
    end(written).await;
    assert_eq!(silent.len(), WAITING);
}

#[tokio::test]
async fn what_is_kept_for_the_first_is_bounded() {
    let (output, written, mut writer, _folder) = start(true);
    for number in 0..20_000 {
        writer.write_all(format!("{number}\n").as_bytes()).await.unwrap();
    }
    drop(writer);
    end(written).await;
    let text = read(output.attach().unwrap()).await;
    assert!(text.len() <= EARLY_BYTES && text.ends_with("19999\n"), "{}", text.len());
}
