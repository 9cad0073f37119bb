//! Which container of a pod is meant.

use serde_json::Value;

use crate::object::meta;
use crate::status::StatusError;

/// The container of this name, or the only one; with the texts of Kubernetes (`validateContainer`).
pub(super) fn choose(pod: &Value, asked: Option<&str>) -> Result<String, StatusError> {
    let pod_name = meta(pod, "name");
    let names = |list: &str| -> Vec<&str> {
        let containers = pod["spec"][list].as_array().into_iter().flatten();
        containers.filter_map(|container| container["name"].as_str()).collect()
    };
    let ordinary = names("containers");
    let all = || [names("initContainers"), ordinary.clone(), names("ephemeralContainers")].concat();
    match (asked, ordinary.as_slice()) {
        (Some(asked), _) if all().contains(&asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(StatusError::bad_request(format!(
            "container {asked} is not valid for pod {pod_name}"
        ))),
        (None, [only]) => Ok((*only).to_owned()),
        (None, []) => Err(StatusError::bad_request(format!(
            "a container name must be specified for pod {pod_name}"
        ))),
        (None, _) => Err(StatusError::bad_request(format!(
            "a container name must be specified for pod {pod_name}, choose one of: [{}]",
            all().join(" ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn containers() {
        let check = |spec: Value, asked: Option<&str>, expected: Result<&str, &str>| {
            let pod = json!({ "metadata": { "name": "p" }, "spec": spec });
            let chosen = choose(&pod, asked).map_err(|error| error.message);
            assert_eq!(chosen.as_deref().map_err(String::as_str), expected);
        };
        let one = json!({ "containers": [{ "name": "a" }], "initContainers": [{ "name": "i" }] });
        check(one.clone(), None, Ok("a"));
        check(one.clone(), Some("i"), Ok("i"));
        check(one, Some("x"), Err("container x is not valid for pod p"));
        let two = json!({ "containers": [{ "name": "a" }, { "name": "b" }], "initContainers": [{ "name": "i" }] });
        check(two.clone(), Some("b"), Ok("b"));
        let choose = "a container name must be specified for pod p, choose one of: [i a b]";
        check(two, None, Err(choose));
        check(json!({}), None, Err("a container name must be specified for pod p"));
    }
}
