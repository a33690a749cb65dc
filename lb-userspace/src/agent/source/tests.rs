use std::{fs, os::unix::fs::symlink};

use inotify::Inotify;

use super::*;

/// Far longer than a busy machine needs, and far shorter than the look without an event.
const SOON: Duration = Duration::from_secs(7);

/// A directory with a file, which is being watched.
async fn watched(path: &Path) -> Source {
    let mut source = Source::new(path);
    let _ = source.read().await;
    source
}

async fn notices(source: &mut Source) -> bool {
    time::timeout(SOON, source.due()).await.is_ok()
}

async fn text(source: &mut Source) -> String {
    source.read().await.unwrap().text
}

#[tokio::test]
async fn every_way_of_replacing_the_file_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("modlb.toml");
    fs::write(&path, "one").unwrap();
    let mut source = watched(&path).await;
    let one = source.read().await.unwrap();
    fs::write(&path, "two").unwrap();
    assert!(notices(&mut source).await);
    let two = source.read().await.unwrap();
    assert!(one.digest != two.digest && two.text == "two");
    // As editors do.
    let other = directory.path().join("modlb.toml~");
    fs::write(&other, "one").unwrap();
    fs::rename(&other, &path).unwrap();
    assert!(notices(&mut source).await);
    assert_eq!(source.read().await.unwrap().digest, one.digest);
    // Reading is not a change, nor is another file.
    fs::read(&path).unwrap();
    fs::write(&other, "other").unwrap();
    assert!(!notices(&mut source).await);
    fs::remove_file(&path).unwrap();
    assert!(notices(&mut source).await);
    assert!(source.read().await.is_err());
    fs::write(&path, "back").unwrap();
    assert!(notices(&mut source).await);
    assert_eq!(text(&mut source).await, "back");
}

/// As Kubernetes mounts a ConfigMap: `modlb.toml → ..data/modlb.toml`, `..data → ..2026`.
#[tokio::test]
async fn links_are_followed() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for (name, content) in [("..2026", "one"), ("..2027", "two")] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("modlb.toml"), content).unwrap();
    }
    symlink("..2026", at("..data")).unwrap();
    symlink("..data/modlb.toml", at("modlb.toml")).unwrap();
    // A link from elsewhere to all of it.
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("link.toml");
    symlink(at("modlb.toml"), &path).unwrap();
    let mut source = watched(&path).await;
    assert_eq!(text(&mut source).await, "one");
    symlink("..2027", at("..tmp")).unwrap();
    fs::rename(at("..tmp"), at("..data")).unwrap();
    assert!(notices(&mut source).await);
    assert_eq!(text(&mut source).await, "two");
    // The target is written in place.
    fs::write(at("..2027").join("modlb.toml"), "three").unwrap();
    assert!(notices(&mut source).await);
    assert_eq!(text(&mut source).await, "three");
    // Where a link led before, nothing counts.
    fs::write(at("..2026").join("modlb.toml"), "former").unwrap();
    assert!(!notices(&mut source).await);
    // The link itself is replaced.
    symlink(at("..2026").join("modlb.toml"), elsewhere.path().join("new")).unwrap();
    fs::rename(elsewhere.path().join("new"), &path).unwrap();
    assert!(notices(&mut source).await);
    assert_eq!(text(&mut source).await, "former");
}

#[tokio::test]
async fn a_directory_that_is_replaced_or_made_later_is_watched() {
    let parent = tempfile::tempdir().unwrap();
    let at = |name: &str| parent.path().join(name);
    let path = at("a").join("b").join("modlb.toml");
    let mut source = watched(&path).await;
    // Each step of the way appears later.
    fs::create_dir(at("a")).unwrap();
    assert!(notices(&mut source).await);
    assert!(source.read().await.is_err());
    fs::create_dir(at("a").join("b")).unwrap();
    assert!(notices(&mut source).await);
    assert!(source.read().await.is_err());
    fs::write(&path, "one").unwrap();
    assert!(notices(&mut source).await);
    assert_eq!(text(&mut source).await, "one");
    // Swapped by renames.
    fs::create_dir_all(at("new").join("b")).unwrap();
    fs::write(at("new").join("b").join("modlb.toml"), "two").unwrap();
    fs::rename(at("a"), at("old")).unwrap();
    fs::rename(at("new"), at("a")).unwrap();
    assert!(notices(&mut source).await);
    assert_eq!(text(&mut source).await, "two");
    // Removed and made again.
    fs::remove_dir_all(at("a")).unwrap();
    assert!(notices(&mut source).await);
    assert!(source.read().await.is_err());
    fs::create_dir_all(at("a").join("b")).unwrap();
    fs::write(&path, "three").unwrap();
    assert!(notices(&mut source).await);
    assert_eq!(text(&mut source).await, "three");
}

/// Quiet has an end: a file that is written all the time is read as well.
#[tokio::test]
async fn unrest_does_not_delay_the_look_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("modlb.toml");
    fs::write(&path, "0").unwrap();
    let mut source = watched(&path).await;
    let writing = path.clone();
    let writer = tokio::spawn(async move {
        for number in 1_u64.. {
            fs::write(&writing, number.to_string()).unwrap();
            time::sleep(QUIET / 4).await;
        }
    });
    let noticed = notices(&mut source).await;
    writer.abort();
    assert!(noticed);
}

/// Without any event the file is looked at all the same.
#[tokio::test]
async fn the_file_is_looked_at_every_ten_seconds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("modlb.toml");
    fs::write(&path, "one").unwrap();
    let mut source = watched(&path).await;
    source.watches = Watches::default();
    assert!(source.look_at <= Instant::now() + LOOK_INTERVAL);
    time::timeout(LOOK_INTERVAL * 3, source.due()).await.unwrap();
}

#[tokio::test]
async fn what_is_no_text_of_a_file_is_unreadable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("modlb.toml");
    let why = async |path: &Path| watched(path).await.read().await.unwrap_err().0;
    assert!(why(&path).await.contains("No such file"));
    fs::create_dir(&path).unwrap();
    assert_eq!(why(&path).await, "it is no regular file");
    fs::remove_dir(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(why(&path).await, "it is no regular file");
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"a = \xff").unwrap();
    assert_eq!(why(&path).await, "it is not UTF-8 text (byte 5)");
    fs::File::create(&path).unwrap().set_len((64 << 20) + 1).unwrap();
    assert_eq!(why(&path).await, "it is larger than 64 MiB");
    fs::remove_file(&path).unwrap();
    symlink(&path, &path).unwrap();
    assert!(why(&path).await.contains("symbolic links"));
}

/// Where the system allows no inotify at all, that is reported once, and the file is looked at all the same.
#[test]
fn without_watches_the_file_is_still_looked_at() {
    const WITHIN: &str = "MODLB_TEST_WITHOUT_WATCHES";
    if std::env::var_os(WITHIN).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            assert!(Inotify::init().is_err());
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("modlb.toml");
            fs::write(&path, "one").unwrap();
            let mut source = watched(&path).await;
            assert!(source.watches.reported());
            fs::write(&path, "two").unwrap();
            time::timeout(LOOK_INTERVAL * 3, source.due()).await.unwrap();
            assert_eq!(text(&mut source).await, "two");
        });
        return;
    }
    // In a user namespace of its own, as the limit is the whole machine's otherwise.
    let own = std::env::current_exe().unwrap();
    let script = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script]).arg(own).env(WITHIN, "1");
    let name = "agent::source::tests::without_watches_the_file_is_still_looked_at";
    let output = command.args(["--exact", name, "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare failed") {
        eprintln!("SKIPPED: no user namespaces here");
        return;
    }
    assert!(output.status.success(), "{said}");
}
