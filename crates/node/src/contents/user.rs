//! As whom a container runs.

use k8s_openapi::api::core::v1::{Container, Pod};
use sandbox::User;

/// The user of a container whose image has this one.
///
/// # Errors
///
/// In kubelet's words: a number that is none, or root where the pod forbids it.
pub(super) fn user(pod: &Pod, container: &Container, image: (u32, u32)) -> Result<User, String> {
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref());
    let of_container = container.security_context.as_ref();
    let id = |what: &str, id: Option<i64>| match id.map(u32::try_from) {
        None => Ok(None),
        Some(Ok(id)) => Ok(Some(id)),
        Some(Err(_)) => Err(format!("{what}: {} is no user or group", id.unwrap_or_default())),
    };
    let stated_user = of_container
        .and_then(|context| context.run_as_user)
        .or_else(|| of_pod.and_then(|context| context.run_as_user));
    let stated_group = of_container
        .and_then(|context| context.run_as_group)
        .or_else(|| of_pod.and_then(|context| context.run_as_group));
    let non_root = of_container
        .and_then(|context| context.run_as_non_root)
        .or_else(|| of_pod.and_then(|context| context.run_as_non_root));
    let stated_user = id("runAsUser", stated_user)?;
    let uid = stated_user.unwrap_or(image.0);
    if non_root == Some(true) && uid == 0 {
        let which = format!("(pod: \"{}\", container: {})", described(pod), container.name);
        return Err(match stated_user {
            Some(_) => format!("container's runAsUser breaks non-root policy {which}"),
            None => format!("container has runAsNonRoot and image will run as root {which}"),
        });
    }
    // The image's group is that of the image's user.
    let gid_of_image = if stated_user.is_none() { image.1 } else { 0 };
    let gid = id("runAsGroup", stated_group)?.unwrap_or(gid_of_image);
    let mut groups = Vec::new();
    let fs_group = of_pod.and_then(|context| context.fs_group);
    groups.extend(id("fsGroup", fs_group)?);
    for group in of_pod.iter().flat_map(|context| context.supplemental_groups.iter().flatten()) {
        groups.extend(id("supplementalGroups", Some(*group))?);
    }
    groups.retain(|group| *group != gid);
    groups.sort_unstable();
    groups.dedup();
    Ok(User { uid, gid, groups })
}

/// The group that a pod's volumes belong to, if it says one.
pub(super) fn volume_group(pod: &Pod) -> Option<u32> {
    let context = pod.spec.as_ref()?.security_context.as_ref()?;
    u32::try_from(context.fs_group?).ok()
}

/// A pod as kubelet's messages name it.
fn described(pod: &Pod) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let metadata = &pod.metadata;
    format!("{}_{}({})", text(&metadata.name), text(&metadata.namespace), text(&metadata.uid))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn users_of_containers() {
        #[track_caller]
        fn check(pod: Value, container: Value, expected: Result<(u32, u32, &[u32]), &str>) {
            let pod: Pod = serde_json::from_value(json!({
                "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
                "spec": {"securityContext": pod,
                    "containers": [{"name": "c", "securityContext": container}]},
            }))
            .unwrap();
            let container = &pod.spec.as_ref().unwrap().containers[0];
            let seen = user(&pod, container, (70, 71));
            let expected =
                expected.map(|(uid, gid, groups)| User { uid, gid, groups: groups.to_vec() });
            assert_eq!(seen, expected.map_err(str::to_owned));
        }
        check(json!(null), json!(null), Ok((70, 71, &[])));
        check(json!({"runAsUser": 1000}), json!(null), Ok((1000, 0, &[])));
        check(
            json!({"runAsUser": 1000, "runAsGroup": 7}),
            json!({"runAsUser": 0}),
            Ok((0, 7, &[])),
        );
        check(
            json!({"fsGroup": 2000, "supplementalGroups": [3, 2000, 71]}),
            json!({"runAsGroup": 9}),
            Ok((70, 9, &[3, 71, 2000])),
        );
        check(json!({"runAsNonRoot": true}), json!(null), Ok((70, 71, &[])));
        check(
            json!({"runAsNonRoot": true}),
            json!({"runAsNonRoot": false, "runAsUser": 0}),
            Ok((0, 0, &[])),
        );
        check(
            json!({"runAsNonRoot": true}),
            json!({"runAsUser": 0}),
            Err("container's runAsUser breaks non-root policy (pod: \"p_ns(u)\", container: c)"),
        );
        check(json!({"fsGroup": -1}), json!(null), Err("fsGroup: -1 is no user or group"));
        check(
            json!({"runAsUser": 4_294_967_296_i64}),
            json!(null),
            Err("runAsUser: 4294967296 is no user or group"),
        );
        let pod: Pod = serde_json::from_value(
            json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"},
            "spec": {"containers": [{"name": "c", "securityContext": {"runAsNonRoot": true}}]}}),
        )
        .unwrap();
        assert_eq!(
            user(&pod, &pod.spec.as_ref().unwrap().containers[0], (0, 0)),
            Err("container has runAsNonRoot and image will run as root (pod: \"p_ns(u)\", container: c)".to_owned())
        );
    }
}
