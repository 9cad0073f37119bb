use serde_json::{Value, json};

use super::payload::File;
use super::*;

fn objects() -> Objects {
    let mut objects = Objects::default();
    let config_map = json!({"metadata": {"name": "settings"},
        "data": {"a.conf": "a=1\n", "b.conf": "b"}, "binaryData": {"bin": "AAE="}});
    objects.config_maps.insert("settings".into(), serde_json::from_value(config_map).unwrap());
    let hostile = json!({"metadata": {"name": "hostile"}, "data": {"../up": "x"}});
    objects.config_maps.insert("hostile".into(), serde_json::from_value(hostile).unwrap());
    let secret = json!({"metadata": {"name": "login"}, "data": {"password": "czNjcmV0"}});
    objects.secrets.insert("login".into(), serde_json::from_value(secret).unwrap());
    for (name, spec) in [("data", json!({})), ("raw", json!({"volumeMode": "Block"}))] {
        let claim = json!({"metadata": {"name": name, "uid": "c-1"}, "spec": spec});
        objects.claims.insert(name.into(), serde_json::from_value(claim).unwrap());
    }
    objects
}

fn of(volume: &Value) -> Result<Content, String> {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "prod", "labels": {"app": "db"}},
        "spec": {"containers": [{"name": "c", "resources": {"limits": {"memory": "1Gi"}}}]},
    }))
    .unwrap();
    let mut volume = volume.clone();
    if volume["name"].is_null() {
        volume["name"] = "v".into();
    }
    let volume: Volume = serde_json::from_value(volume).unwrap();
    content(&pod, &Place::example(), &objects(), &volume).map_err(|NotYet { reason, message }| {
        assert_eq!(reason, "FailedMount");
        let prefix = "MountVolume.SetUp failed for volume \"v\" : ";
        message.strip_prefix(prefix).unwrap_or(&message).to_owned()
    })
}

#[test]
fn files_of_objects() {
    #[track_caller]
    fn check(volume: Value, expected: Result<&[(&str, &str, u32)], &str>) {
        let seen = of(&volume).map(|content| {
            let Content::Files(payload) = content else { panic!("no files: {volume}") };
            let file = |(path, file): (&str, &File)| {
                (path.to_owned(), String::from_utf8_lossy(&file.bytes).into_owned(), file.mode)
            };
            payload.files().map(file).collect::<Vec<_>>()
        });
        let expected = expected.map(|files| {
            files
                .iter()
                .map(|(path, text, mode)| ((*path).to_owned(), (*text).to_owned(), *mode))
                .collect()
        });
        assert_eq!(seen, expected.map_err(str::to_owned), "{volume}");
    }
    check(
        json!({"configMap": {"name": "settings", "defaultMode": 0o600}}),
        Ok(&[("a.conf", "a=1\n", 0o600), ("b.conf", "b", 0o600), ("bin", "\0\u{1}", 0o600)]),
    );
    let items = json!([{"key": "a.conf", "path": "conf.d//a/./x", "mode": 0o400}]);
    check(
        json!({"configMap": {"name": "settings", "items": items}}),
        Ok(&[("conf.d/a/x", "a=1\n", 0o400)]),
    );
    check(json!({"configMap": {"name": "none"}}), Err("configmap \"none\" not found"));
    check(json!({"configMap": {"name": "none", "optional": true}}), Ok(&[]));
    let none = json!([{"key": "none", "path": "x"}]);
    check(
        json!({"configMap": {"name": "settings", "items": none}}),
        Err("configmap references non-existent config key: none"),
    );
    check(json!({"configMap": {"name": "settings", "items": none, "optional": true}}), Ok(&[]));
    check(json!({"secret": {"secretName": "login"}}), Ok(&[("password", "s3cret", 0o644)]));
    check(json!({"secret": {"secretName": "none"}}), Err("secret \"none\" not found"));
    check(
        json!({"secret": {"secretName": "login", "items": none}}),
        Err("references non-existent secret key: none"),
    );
    check(
        json!({"downwardAPI": {"items": [
            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
            {"path": "limit", "mode": 0o440, "resourceFieldRef": {"containerName": "c", "resource": "limits.memory", "divisor": "1Mi"}}]}}),
        Ok(&[("labels", "app=\"db\"", 0o644), ("limit", "1024", 0o440)]),
    );
    check(
        json!({"downwardAPI": {"items": [{"path": "x", "resourceFieldRef": {"resource": "limits.cpu"}}]}}),
        Err("a resource of a volume needs its containerName"),
    );
    check(
        json!({"projected": {"defaultMode": 0o444, "sources": [
            {"configMap": {"name": "settings", "items": [{"key": "b.conf", "path": "b"}]}},
            {"secret": {"name": "login"}},
            {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {"clusterTrustBundle": {"path": "x", "optional": true}}]}}),
        Ok(&[("b", "b", 0o444), ("name", "p", 0o444), ("password", "s3cret", 0o444)]),
    );
    check(
        json!({"projected": {"sources": [{"configMap": {"name": "none"}}, {"secret": {"name": "none"}}]}}),
        Err("[configmap \"none\" not found, secret \"none\" not found]"),
    );
    check(
        json!({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}),
        Err(
            "serviceAccountToken: there are no tokens of service accounts here; take this source out of the volume",
        ),
    );
}

#[test]
fn nothing_leaves_its_volume() {
    #[track_caller]
    fn check(path: &str, expected: &str) {
        let items = json!([{"key": "a.conf", "path": path}]);
        let seen = of(&json!({"configMap": {"name": "settings", "items": items}}));
        assert_eq!(seen, Err(expected.to_owned()), "{path}");
    }
    check("", "invalid path: must not be empty");
    check("/etc/x", "invalid path: must be relative path: /etc/x");
    check("..", "invalid path: must not contain '..': ..");
    check("a/../../x", "invalid path: must not contain '..': a/../../x");
    check("..data/x", "invalid path: must not start with '..': ..data/x");
    check("./", "invalid path: must name a file: ./");
    check("a\0b", "invalid path: must not contain a NUL character");
    let long = "a".repeat(256);
    check(
        &long,
        &format!("invalid path: filenames must be less than or equal to 255 characters: {long}"),
    );
    check(&"a/".repeat(2100), "invalid path: must be less than or equal to 4096 characters");
    assert_eq!(
        of(&json!({"configMap": {"name": "hostile"}})),
        Err("invalid path: a key is one name: ../up".to_owned())
    );
    assert_eq!(
        of(&json!({"name": "../v", "emptyDir": {}})),
        Err("MountVolume.SetUp failed for volume \"../v\" : this is no name of a volume".to_owned())
    );
}

#[test]
fn folders() {
    #[track_caller]
    fn check(volume: Value, expected: Result<Content, &str>) {
        assert_eq!(of(&volume), expected.map_err(str::to_owned), "{volume}");
    }
    let claim = |read_only| Content::Claim { folder: "prod_data_c-1".to_owned(), read_only };
    check(json!({"emptyDir": {}}), Ok(Content::Folder));
    check(json!({"emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}), Ok(Content::Folder));
    check(json!({"ephemeral": {}}), Ok(Content::Folder));
    check(json!({}), Ok(Content::Folder));
    check(json!({"persistentVolumeClaim": {"claimName": "data"}}), Ok(claim(false)));
    check(
        json!({"persistentVolumeClaim": {"claimName": "data", "readOnly": true}}),
        Ok(claim(true)),
    );
    check(
        json!({"persistentVolumeClaim": {"claimName": "none"}}),
        Err("persistentvolumeclaim \"none\" not found"),
    );
    check(
        json!({"persistentVolumeClaim": {"claimName": "raw"}}),
        Err(
            "persistentvolumeclaim \"raw\" has volumeMode Block; there are no block devices here, only Filesystem",
        ),
    );
    check(
        json!({"hostPath": {"path": "/var/run"}}),
        Err(
            "hostPath /var/run is not mounted: pods get no files of this machine but its programs; use an emptyDir, a \
             persistentVolumeClaim or a configMap",
        ),
    );
    check(
        json!({"nfs": {"server": "s", "path": "/"}}),
        Err(
            "nfs volumes are not mounted here; configMap, secret, downwardAPI, projected, emptyDir, ephemeral and \
             persistentVolumeClaim are",
        ),
    );
}
