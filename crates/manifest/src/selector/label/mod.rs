//! Label selectors, as text (`app=db,tier in (a,b),!canary`) and as objects.

mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;

use super::SelectorError;
use crate::rules::names;

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The label is there, with one of the values: `a=b`, `a in (b,c)`.
    In,
    /// The label is absent or has none of the values: `a!=b`, `a notin (b,c)`.
    NotIn,
    /// The label is there: `a`.
    Exists,
    /// The label is absent: `!a`.
    DoesNotExist,
    /// The label is there and a greater number than the value: `a>1`.
    GreaterThan,
    /// The label is there and a smaller number than the value: `a<1`.
    LessThan,
}

/// One term of a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How to compare.
    pub operator: Operator,
    /// The values, sorted and without repeats; empty for the operators that take none.
    pub values: Vec<String>,
}

/// A conjunction of requirements, or none at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector {
    /// `None` selects nothing; an empty list selects everything.
    requirements: Option<Vec<Requirement>>,
}

impl Requirement {
    /// A requirement of well-formed key and values, as many values as the operator takes.
    ///
    /// # Errors
    ///
    /// What is malformed, in Kubernetes' words.
    pub fn new(
        key: &str,
        operator: Operator,
        mut values: Vec<String>,
    ) -> Result<Self, SelectorError> {
        if let Some(problem) = names::qualified_name(key).first() {
            return Err(SelectorError(format!("key: Invalid value: {key:?}: {problem}")));
        }
        let refuse =
            |text: &str| Err(SelectorError(format!("values: Invalid value: {values:?}: {text}")));
        match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                return refuse("for 'in', 'notin' operators, values set can't be empty");
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                return refuse("values set must be empty for exists and does not exist");
            }
            Operator::GreaterThan | Operator::LessThan => match values.as_slice() {
                [value] if value.parse::<i64>().is_ok() => {}
                [_] => return refuse("for 'Gt', 'Lt' operators, the value must be an integer"),
                _ => return refuse("for 'Gt', 'Lt' operators, exactly one value is required"),
            },
            Operator::In | Operator::NotIn | Operator::Exists | Operator::DoesNotExist => {}
        }
        for (index, value) in values.iter().enumerate() {
            if let Some(problem) = names::label_value(value).first() {
                return Err(SelectorError(format!(
                    "values[{index}][{key}]: Invalid value: {value:?}: {problem}"
                )));
            }
        }
        values.sort_unstable();
        values.dedup();
        Ok(Self { key: key.to_owned(), operator, values })
    }

    /// Whether a label of this value, or its absence, satisfies the requirement.
    pub fn allows(&self, label: Option<&str>) -> bool {
        let among = |label: &str| self.values.iter().any(|value| value == label);
        let number = |label: &str| label.parse::<i64>().ok();
        let bound = || self.values.first().and_then(|value| value.parse::<i64>().ok());
        match (self.operator, label) {
            (Operator::In, Some(label)) => among(label),
            (Operator::NotIn, Some(label)) => !among(label),
            (Operator::Exists, label) => label.is_some(),
            (Operator::DoesNotExist, label) => label.is_none(),
            (Operator::GreaterThan, Some(label)) => {
                number(label).zip(bound()).is_some_and(|(label, bound)| label > bound)
            }
            (Operator::LessThan, Some(label)) => {
                number(label).zip(bound()).is_some_and(|(label, bound)| label < bound)
            }
            (Operator::NotIn, None) => true,
            (Operator::In | Operator::GreaterThan | Operator::LessThan, None) => false,
        }
    }
}

impl LabelSelector {
    /// The selector that every object satisfies.
    pub fn everything() -> Self {
        Self { requirements: Some(Vec::new()) }
    }

    /// The selector that no object satisfies.
    pub fn nothing() -> Self {
        Self { requirements: None }
    }

    /// Reads the text form: `a=b,c!=d,e in (x,y),f notin (z),g,!h`. Empty text selects everything.
    ///
    /// # Errors
    ///
    /// Kubernetes' text: `unable to parse requirement: found '=', expected: …`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        parse::selector(text)
            .map(|requirements| Self { requirements: Some(requirements) })
            .map_err(|error| SelectorError(format!("unable to parse requirement: {error}")))
    }

    /// The selector that asks for each of these labels, as a Service's `spec.selector` does. An empty map
    /// selects everything; a Service without selector selects nothing, which is the caller's to know.
    pub fn from_map(labels: &BTreeMap<String, String>) -> Self {
        let requirements = labels
            .iter()
            .map(|(key, value)| Requirement {
                key: key.clone(),
                operator: Operator::In,
                values: vec![value.clone()],
            })
            .collect();
        Self { requirements: Some(requirements) }
    }

    /// The selector of a workload (`matchLabels` and `matchExpressions`). An empty one selects everything.
    ///
    /// # Errors
    ///
    /// An unknown operator, or a malformed key or value.
    pub fn from_object(selector: &meta::LabelSelector) -> Result<Self, SelectorError> {
        let meta::LabelSelector { match_labels, match_expressions } = selector;
        let mut requirements = Vec::new();
        for (key, value) in match_labels.iter().flatten() {
            requirements.push(Requirement::new(key, Operator::In, vec![value.clone()])?);
        }
        for meta::LabelSelectorRequirement { key, operator, values } in
            match_expressions.iter().flatten()
        {
            let operator = match operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    return Err(SelectorError(format!(
                        "{other:?} is not a valid label selector operator"
                    )));
                }
            };
            requirements.push(Requirement::new(key, operator, values.clone().unwrap_or_default())?);
        }
        Ok(Self { requirements: Some(requirements) })
    }

    /// Whether the selector asks for nothing in particular.
    pub fn is_everything(&self) -> bool {
        self.requirements.as_ref().is_some_and(Vec::is_empty)
    }

    /// The terms; `None` when nothing is selected.
    pub fn requirements(&self) -> Option<&[Requirement]> {
        self.requirements.as_deref()
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matches_with(|key| labels.get(key).map(String::as_str))
    }

    /// Whether an object is selected, given how to look up a label.
    pub(crate) fn matches_with<'v>(&self, label: impl Fn(&str) -> Option<&'v str>) -> bool {
        self.requirements
            .as_ref()
            .is_some_and(|terms| terms.iter().all(|term| term.allows(label(&term.key))))
    }
}

impl fmt::Display for LabelSelector {
    /// The text form; the selector of nothing is `<none>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(requirements) = &self.requirements else { return f.write_str("<none>") };
        for (index, Requirement { key, operator, values }) in requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match (operator, values.as_slice()) {
                (Operator::In, [value]) => write!(f, "{key}={value}")?,
                (Operator::In, values) => write!(f, "{key} in ({})", values.join(","))?,
                (Operator::NotIn, [value]) => write!(f, "{key}!={value}")?,
                (Operator::NotIn, values) => write!(f, "{key} notin ({})", values.join(","))?,
                (Operator::Exists, _) => f.write_str(key)?,
                (Operator::DoesNotExist, _) => write!(f, "!{key}")?,
                (Operator::GreaterThan, values) => write!(f, "{key}>{}", values.join(","))?,
                (Operator::LessThan, values) => write!(f, "{key}<{}", values.join(","))?,
            }
        }
        Ok(())
    }
}
