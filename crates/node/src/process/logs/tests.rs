use futures::StreamExt as _;
use tokio::sync::watch;

use super::*;
use crate::logs::LogOptions;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

async fn read(path: &Path, options: LogOptions) -> String {
    let blocks = LogReader::new(path.to_owned(), options).stream(None);
    let blocks: Vec<_> = blocks.map(|block| block.unwrap()).collect().await;
    String::from_utf8(blocks.concat()).unwrap()
}

#[test]
fn lines_have_the_form_of_kubernetes_runtimes() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(folder.path(), "u", "c", 0);
    let mut log = LogFile::new(path.clone());
    log.take(Source::Stdout, b"one\ntw", at(1));
    log.take(Source::Stderr, b"oh\n", at(2));
    log.take(Source::Stdout, b"o\nrest", at(3));
    log.end(at(4));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        "1970-01-01T00:00:01.000000000Z stdout F one\n\
         1970-01-01T00:00:02.000000000Z stderr F oh\n\
         1970-01-01T00:00:03.000000000Z stdout F two\n\
         1970-01-01T00:00:04.000000000Z stdout F rest\n"
    );
    assert_eq!(newest(folder.path(), "u", "c"), Some(0));
    assert_eq!(newest(folder.path(), "u", "other"), None);
}

#[tokio::test]
async fn parts_of_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.log");
    let mut log = LogFile::new(path.clone());
    for (second, text) in [(1, "one\n"), (2, "two\n"), (3, "three\n"), (4, "four")] {
        log.take(Source::Stdout, text.as_bytes(), at(second));
    }
    log.end(at(4));
    let all = LogOptions::default();
    let check = async |options: LogOptions, expected: &str| {
        assert_eq!(read(&path, options.clone()).await, expected, "{options:?}");
    };
    check(all.clone(), "one\ntwo\nthree\nfour\n").await;
    check(LogOptions { tail_lines: Some(2), ..all.clone() }, "three\nfour\n").await;
    check(LogOptions { tail_lines: Some(0), ..all.clone() }, "").await;
    check(LogOptions { tail_lines: Some(9), ..all.clone() }, "one\ntwo\nthree\nfour\n").await;
    check(LogOptions { since: Some(at(3)), ..all.clone() }, "three\nfour\n").await;
    check(LogOptions { limit_bytes: Some(5), ..all.clone() }, "one\nt").await;
    check(
        LogOptions { timestamps: true, tail_lines: Some(1), ..all.clone() },
        "1970-01-01T00:00:04.000000000Z four\n",
    )
    .await;
    assert_eq!(read(&folder.path().join("none.log"), all).await, "");
}

#[tokio::test]
async fn a_long_line_is_one_line_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.log");
    let mut log = LogFile::new(path.clone());
    let long = "x".repeat(3 * PART_BYTES + 7);
    log.take(Source::Stdout, format!("a\n{long}\nb\n").as_bytes(), at(1));
    assert!(std::fs::read_to_string(&path).unwrap().contains(" stdout P x"));
    let all = LogOptions::default();
    assert_eq!(read(&path, all.clone()).await, format!("a\n{long}\nb\n"));
    let tail = LogOptions { tail_lines: Some(2), ..all.clone() };
    assert_eq!(read(&path, tail).await, format!("{long}\nb\n"));
    let stamped = read(&path, LogOptions { timestamps: true, ..all }).await;
    assert_eq!(stamped.matches("1970").count(), 3, "one time for each line");
}

#[tokio::test]
async fn a_full_file_makes_way_and_one_older_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.log");
    let mut log = LogFile::with_limit(path.clone(), 200);
    for number in 0..12 {
        log.take(Source::Stdout, format!("line {number:02}\n").as_bytes(), at(1));
    }
    // Four lines of 48 octets fill a file.
    assert_eq!(read(&path, LogOptions::default()).await.lines().count(), 8);
    assert!(read(&path, LogOptions::default()).await.starts_with("line 04\n"));
    let tail = LogOptions { tail_lines: Some(6), ..LogOptions::default() };
    assert!(read(&path, tail).await.starts_with("line 06\n"));
    assert!(std::fs::metadata(&path).unwrap().len() <= 200);
}

#[tokio::test]
async fn who_follows_reads_on_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.log");
    let mut log = LogFile::with_limit(path.clone(), 200);
    log.take(Source::Stdout, b"one\ntwo\n", at(1));
    let (written, hears) = watch::channel(0);
    let options = LogOptions { follow: true, tail_lines: Some(1), ..LogOptions::default() };
    let mut reader = Box::pin(LogReader::new(path, options).stream(Some(hears)));
    assert_eq!(reader.next().await.unwrap().unwrap(), "two\n");
    // Through a change of files.
    let mut expected = String::new();
    for number in 0..9 {
        let line = format!("line {number}\n");
        log.take(Source::Stdout, line.as_bytes(), at(2));
        written.send_modify(|count| *count += 1);
        let mut seen = String::new();
        while seen.len() < line.len() {
            seen += std::str::from_utf8(&reader.next().await.unwrap().unwrap()).unwrap();
        }
        expected += &line;
        assert_eq!(seen, line);
    }
    log.take(Source::Stdout, b"last", at(3));
    log.end(at(3));
    drop(written);
    assert_eq!(reader.next().await.unwrap().unwrap(), "last\n");
    assert!(reader.next().await.is_none());
}

#[test]
fn what_cannot_be_written_is_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs").join("0.log");
    // Where a folder is to be, there is a file.
    std::fs::write(folder.path().join("logs"), "").unwrap();
    let mut log = LogFile::new(path.clone());
    log.take(Source::Stdout, b"one\ntwo\n", at(1));
    log.take(Source::Stdout, b"three\n", at(1));
    std::fs::remove_file(folder.path().join("logs")).unwrap();
    log.take(Source::Stdout, b"four\n", at(2));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        "1970-01-01T00:00:02.000000000Z stderr F headcount: 3 lines before this one could not be kept\n\
         1970-01-01T00:00:02.000000000Z stdout F four\n"
    );
}

#[test]
fn only_the_last_lives_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    for life in 0..4 {
        LogFile::new(path(folder.path(), "u", "c", life)).take(Source::Stdout, b"x\n", at(1));
        forget_before(folder.path(), "u", "c", life.saturating_sub(1));
    }
    let kept: Vec<bool> = (0..4).map(|life| path(folder.path(), "u", "c", life).exists()).collect();
    assert_eq!(kept, [false, false, true, true]);
}

#[test]
fn last_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.log");
    let mut log = LogFile::new(path.clone());
    assert_eq!(super::last_words(&path), None);
    for number in 0..100 {
        log.take(Source::Stdout, format!("{number}\n").as_bytes(), at(1));
    }
    let words = super::last_words(&path).unwrap();
    assert!(words.starts_with("20\n") && words.ends_with("99\n"), "{words}");
}
