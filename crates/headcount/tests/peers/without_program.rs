//! Images whose program this machine does not have.

use crate::support::Up;

/// A pod says that there is no program for its image, and where one is named.
#[track_caller]
fn check(example: &str, pod: &str, namespace: &str, image: &str) {
    let up = Up::ephemeral(&["--pods", "process", "-f", &format!("examples/{example}")]);
    let why = format!(
        "no program for image \"{image}\": pods run programs of this machine; name the one for this image in the table of \
         headcount up --images FILE, for example images: [{{image: "
    );
    let told = format!("pod {namespace}/{pod}: ErrImagePull: {why}");
    assert!(up.printed.contains(&told), "{told:?} is not in:\n{}", up.printed);
    let described = up.kubectl(&["describe", "pod", pod, "-n", namespace]);
    assert!(described.contains(&format!("Failed to pull image \"{image}\": {why}")), "{described}");
}

#[test]
fn pods_without_a_program_say_so() {
    check("mysql", "mysql-0", "default", "mysql:8.4");
    check("mongodb", "mongodb-0", "default", "mongo:8");
    let image = "docker.elastic.co/elasticsearch/elasticsearch:9.1.0";
    check("elasticsearch", "elasticsearch-0", "logging", image);
}
