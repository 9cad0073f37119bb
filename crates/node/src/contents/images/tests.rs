use std::collections::BTreeSet;

use super::*;

const TABLE: &str = "
images:
- {image: acme/api, entrypoint: [/srv/api], cmd: [--port, '8080'], mounts: [/etc/acme]}
- {image: acme/api:2, entrypoint: [/srv/api-2]}
- {image: redis, cmd: [valkey-server]}
";

fn table(text: &str) -> Images {
    Images::parse("images.yaml", text.as_bytes()).expect("a table")
}

#[test]
fn the_entry_for_an_image() {
    #[track_caller]
    fn check(text: &str, image: &str, command: Result<&[&str], (&str, &str)>) {
        let images = table(text);
        let found = images.find(image).map(|entry| entry.command_line(&[], &[]));
        let expected = command
            .map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
            .map_err(|(reason, message)| NotYet {
                reason: if reason == "ErrImagePull" { "ErrImagePull" } else { "InvalidImageName" },
                message: message.to_owned(),
            });
        assert_eq!(found, expected, "{image}");
    }
    check("", "busybox:1.36", Ok(&["sh"]));
    check("", "docker.io/library/memcached:1", Ok(&["memcached"]));
    check("", "bitnami/memcached", Ok(&["memcached"]));
    check("", "quay.io/coreos/etcd:v3.5.0", Ok(&["etcd"]));
    check("", "registry.k8s.io/etcd:3.5.9-0", Ok(&["etcd"]));
    check("", "memcached:1", Ok(&["memcached"]));
    check("", "registry.k8s.io/e2e-test-images/jessie-dnsutils:1.3", Ok(&["sleep", "3600"]));
    check("", "nginx:1.25-alpine", Ok(&["nginx", "-g", "daemon off;"]));
    check(TABLE, "ghcr.io/acme/api:1", Ok(&["/srv/api", "--port", "8080"]));
    check(TABLE, "ghcr.io/acme/api:2", Ok(&["/srv/api-2"]));
    check(TABLE, "redis", Ok(&["valkey-server"]));
    // A user's entry goes before a longer one that is built in.
    check("images: [{image: curl, cmd: [mine]}]", "curlimages/curl", Ok(&["mine"]));
    let any = "images: [{image: '*', cmd: [sleep, infinity]}]";
    check(any, "ghcr.io/acme/api:1", Ok(&["sleep", "infinity"]));
    check(any, "memcached", Ok(&["memcached"]));
    check(
        "",
        "ghcr.io/acme/api:1",
        Err((
            "ErrImagePull",
            "no program for image \"ghcr.io/acme/api:1\": pods run programs of this machine; name the one for this image \
             in the table of headcount up --images FILE, for example images: [{image: acme/api, entrypoint: [/path/to/api]}]",
        )),
    );
    check(
        "",
        "Redis",
        Err((
            "InvalidImageName",
            "Failed to apply default image tag \"Redis\": couldn't parse image name \"Redis\": invalid reference format: \
             repository name must be lowercase",
        )),
    );
}

#[test]
fn the_command_line() {
    #[track_caller]
    fn check(entry: &str, command: &[&str], args: &[&str], expected: &[&str]) {
        let words =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let images = table(&format!("images: [{{image: x, {entry}}}]"));
        let seen = images.find("x").unwrap().command_line(&words(command), &words(args));
        assert_eq!(seen, expected, "{entry} {command:?} {args:?}");
    }
    let both = "entrypoint: [e, f], cmd: [c]";
    check(both, &[], &[], &["e", "f", "c"]);
    check(both, &[], &["a"], &["e", "f", "a"]);
    check(both, &["k"], &[], &["k"]);
    check(both, &["k"], &["a"], &["k", "a"]);
    check("cmd: [sh]", &[], &["nslookup", "db"], &["nslookup", "db"]);
    check("entrypoint: []", &[], &[], &[]);
}

#[test]
fn programs_of_this_machine() {
    #[track_caller]
    fn check(text: &str, image: &str, there: &[&str], expected: Result<&[&str], &str>) {
        let images = table(text);
        let there: BTreeSet<&Path> = there.iter().map(Path::new).collect();
        let has = |path: &Path| there.contains(path);
        let machine = Machine { is_program: &has, is_there: &has };
        let seen = programs(images.find(image).unwrap(), image, &machine);
        let expected = expected
            .map(|paths| paths.iter().map(PathBuf::from).collect())
            .map_err(|message| NotYet { reason: "ErrImagePull", message: message.to_owned() });
        assert_eq!(seen, expected, "{image}");
    }
    check("", "memcached", &["/usr/bin/memcached"], Ok(&["/usr/bin/memcached"]));
    // A script is told by what it runs.
    let redis = ["/usr/bin/redis-server", "/usr/bin/redis-cli", "/bin/sh"];
    check("", "redis", &redis, Ok(&redis));
    check(
        "",
        "redis:7",
        &[],
        Err("image \"redis:7\" needs the program redis-server, which is not on this machine in \
             /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin: install it (Debian's package redis-server), or \
             name another program for redis in the table of headcount up --images FILE"),
    );
    // A shell is there when busybox is; the machine's own does not count.
    check("", "busybox", &["/usr/bin/busybox"], Ok(&["/usr/bin/busybox"]));
    check(
        "",
        "alpine:3",
        &["/bin/sh"],
        Err("image \"alpine:3\" needs the program busybox, which is not on this machine in \
             /busybox:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin: install it (Debian's package busybox), \
             or name another program for alpine in the table of headcount up --images FILE"),
    );
    check(
        "",
        "nicolaka/netshoot",
        &["/bin/bash", "/usr/bin/dig", "/usr/bin/nslookup", "/sbin/ip", "/bin/ss"],
        Err("image \"nicolaka/netshoot\" needs the program curl, which is not on this machine in \
             /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin: install it (Debian's packages bind9-dnsutils, \
             curl and iproute2), or name another program for nicolaka/netshoot in the table of headcount up --images FILE"),
    );
    check(TABLE, "acme/api", &["/srv/api", "/etc/acme"], Ok(&["/srv/api"]));
    check(
        "images: [{image: x, cmd: [bin/x]}]",
        "memcached",
        &["/bin/memcached"],
        Ok(&["/bin/memcached"]),
    );
    check(
        "images: [{image: x, cmd: [bin/x]}]",
        "x",
        &["bin/x"],
        Err("image \"x\" needs the program bin/x, which is not on this machine: install it, or \
             name another program for x in the table of headcount up --images FILE"),
    );
    check(
        "",
        "nginx",
        &["/usr/sbin/nginx"],
        Err(
            "image \"nginx\" needs /etc/nginx/mime.types, which is not on this machine: install it (Debian's package \
             nginx), or name another program for nginx in the table of headcount up --images FILE",
        ),
    );
    check("images: [{image: x}]", "x", &[], Ok(&[]));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let problems = Images::parse("images.yaml", text.as_bytes()).expect_err(text);
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected, "{text}");
    }
    check(
        "image: x\n",
        &["images.yaml:1:8: error: image: there is no such field\n  help: did you mean images?"],
    );
    check(
        "images:\n- {image: Redis}\n",
        &[
            "images.yaml:2:11: error: images[0].image: Invalid value: \"Redis\": an image is named here by the end of its \
             path, such as redis or acme/api, with a tag or without; * is every image",
        ],
    );
    check(
        "images: [{image: redis, cmd: sh}]",
        &["images.yaml:1:30: error: images[0].cmd: expected a list, got the string \"sh\""],
    );
    check(
        "images: [{image: redis, entrypint: [x]}]",
        &[
            "images.yaml:1:25: error: images[0].entrypint: there is no such field\n  help: did you mean entrypoint?",
        ],
    );
    for path in ["etc", "/a/../b", "/", "/a:b"] {
        check(
            &format!("images: [{{image: x, mounts: ['{path}']}}]\n"),
            &[&format!(
                "images.yaml:1:30: error: images[0].mounts[0]: Invalid value: {path:?}: a path begins with / and goes \
                 straight to its end, such as /etc/redis"
            )],
        );
    }
}

#[test]
fn a_text_without_entries_is_a_table() {
    assert_eq!(table(""), Images::default());
    assert_eq!(table("# nothing yet\n"), Images::default());
    assert_eq!(table("images:\n"), Images::default());
}

#[test]
fn the_schema_says_what_is_read() {
    let schema: serde_json::Value = serde_json::from_str(&Images::schema()).unwrap();
    let entry = &schema["$defs"]["Entry"];
    let fields: Vec<&str> =
        entry["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(entry["required"], serde_json::json!(["image"]));
    assert_eq!(entry["additionalProperties"], false);
    let text = "images: [{image: x, applets: true, cmd: [x], entrypoint: [x], env: {X: x}, files: {/x: x}, group: 1, \
                mounts: [/x], needs: [x], packages: [x], path: [/x], user: 1, volumes: [/x], workingDir: /x}]";
    table(text);
    for field in fields {
        assert!(text.contains(&format!("{field}: ")), "{field} is read by no test");
    }
    let path = schema["$defs"]["AbsolutePath"].to_string();
    assert!(path.contains("\"type\":\"string\""), "{path}");
}

/// Every entry can be found by its own name, and is one that a user could write.
#[test]
fn the_built_in_table() {
    assert!(!BUILT_IN.images.is_empty());
    for entry in &BUILT_IN.images {
        let name = entry.image.to_string();
        assert_eq!(Images::default().find(&name), Ok(entry));
        assert_ne!(entry.image, Pattern::Any);
        assert!(entry.needed_programs().next().is_some(), "{name}");
        assert!(!entry.packages.is_empty(), "{name}");
        for AbsolutePath(path) in entry.files.keys().chain(&entry.volumes) {
            assert!(!is_always_there(Path::new(path)), "{name}: {path} cannot be made");
        }
    }
}
