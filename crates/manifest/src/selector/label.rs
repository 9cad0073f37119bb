//! Label selectors, as text (`app=db,tier in (a,b),!canary`) and as objects.

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
        Parser { tokens: tokens(text), next: 0 }
            .selector()
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
    pub fn matches_with<'v>(&self, label: impl Fn(&str) -> Option<&'v str>) -> bool {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    /// A key, a value, or the words `in` and `notin`.
    Word(&'t str),
    Not,
    Comma,
    Open,
    Close,
    Equals,
    DoubleEquals,
    NotEquals,
    Greater,
    Less,
    End,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Word(word) => word,
            Self::Not => "!",
            Self::Comma => ",",
            Self::Open => "(",
            Self::Close => ")",
            Self::Equals => "=",
            Self::DoubleEquals => "==",
            Self::NotEquals => "!=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::End => "",
        })
    }
}

/// The tokens of a text, the last being [`Token::End`].
fn tokens(text: &str) -> Vec<Token<'_>> {
    const SPECIAL: [char; 7] = ['!', ',', '(', ')', '=', '>', '<'];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '!' if rest.starts_with("!=") => (Token::NotEquals, 2),
            '=' if rest.starts_with("==") => (Token::DoubleEquals, 2),
            '!' => (Token::Not, 1),
            '=' => (Token::Equals, 1),
            ',' => (Token::Comma, 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '>' => (Token::Greater, 1),
            '<' => (Token::Less, 1),
            _ => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || SPECIAL.contains(&c))
                    .unwrap_or(rest.len());
                (Token::Word(&rest[..end]), end)
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    tokens.push(Token::End);
    tokens
}

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    next: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Token<'t> {
        self.tokens.get(self.next).copied().unwrap_or(Token::End)
    }

    fn take(&mut self) -> Token<'t> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn refuse<T>(found: Token<'_>, expected: &str) -> Result<T, SelectorError> {
        Err(SelectorError(format!("found '{found}', expected: {expected}")))
    }

    fn selector(&mut self) -> Result<Vec<Requirement>, SelectorError> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::Word(_) | Token::Not => {
                    requirements.push(self.requirement()?);
                    match self.take() {
                        Token::End => return Ok(requirements),
                        Token::Comma => match self.peek() {
                            Token::Word(_) | Token::Not => {}
                            found => return Self::refuse(found, "identifier after ','"),
                        },
                        found => return Self::refuse(found, "',' or 'end of string'"),
                    }
                }
                Token::End => return Ok(requirements),
                found => return Self::refuse(found, "!, identifier, or 'end of string'"),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let negated = self.peek() == Token::Not;
        if negated {
            self.take();
        }
        let key = match self.take() {
            Token::Word(key) => key,
            found => return Self::refuse(found, "identifier"),
        };
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        match self.peek() {
            Token::End | Token::Comma => {
                return Requirement::new(key, Operator::Exists, Vec::new());
            }
            _ => {}
        }
        let (operator, values) = match self.take() {
            Token::Equals | Token::DoubleEquals => (Operator::In, vec![self.value()?]),
            Token::NotEquals => (Operator::NotIn, vec![self.value()?]),
            Token::Greater => (Operator::GreaterThan, vec![self.value()?]),
            Token::Less => (Operator::LessThan, vec![self.value()?]),
            Token::Word("in") => (Operator::In, self.values()?),
            Token::Word("notin") => (Operator::NotIn, self.values()?),
            found => return Self::refuse(found, "in, notin, =, ==, !=, gt, lt"),
        };
        Requirement::new(key, operator, values)
    }

    /// A single value; nothing at all is the empty value.
    fn value(&mut self) -> Result<String, SelectorError> {
        match self.peek() {
            Token::End | Token::Comma => Ok(String::new()),
            Token::Word(word) => {
                self.take();
                Ok(word.to_owned())
            }
            found => Self::refuse(found, "identifier"),
        }
    }

    /// A list in parentheses; between two commas lies the empty value.
    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        match self.take() {
            Token::Open => {}
            found => return Self::refuse(found, "'('"),
        }
        let mut values = Vec::new();
        loop {
            match self.take() {
                Token::Word(word) => {
                    values.push(word.to_owned());
                    match self.take() {
                        Token::Comma => {
                            if self.peek() == Token::Close {
                                values.push(String::new());
                            }
                        }
                        Token::Close => return Ok(values),
                        found => return Self::refuse(found, "',' or ')'"),
                    }
                }
                Token::Comma => values.push(String::new()),
                Token::Close => return Ok(values),
                found => return Self::refuse(found, "',', ')' or identifier"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let parsed = LabelSelector::parse(text);
        match (&parsed, expected) {
            (Ok(selector), Ok(expected)) => assert_eq!(selector.to_string(), expected),
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            _ => panic!("{text}: {parsed:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn the_text_form() {
        check("", Ok(""));
        check(
            "a=b,c!=d,e in (x,y),f notin (z,w),g,!h",
            Ok("a=b,c!=d,e in (x,y),f notin (w,z),g,!h"),
        );
        check(" a == b , c in ( y , x , y ) ", Ok("a=b,c in (x,y)"));
        check("in in (in)", Ok("in=in"));
        check("a=,b", Ok("a=,b"));
        check("a in (,x)", Ok("a in (,x)"));
        check("a>1,b<2", Ok("a>1,b<2"));
        check("example.com/app=x", Ok("example.com/app=x"));
    }

    #[test]
    fn malformed_text_is_refused_in_kubernetes_words() {
        check("a=b,", Err("unable to parse requirement: found '', expected: identifier after ','"));
        check(
            "=a",
            Err(
                "unable to parse requirement: found '=', expected: !, identifier, or 'end of string'",
            ),
        );
        check(
            "a b",
            Err("unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        );
        check(
            "a=b c",
            Err("unable to parse requirement: found 'c', expected: ',' or 'end of string'"),
        );
        check("a in x", Err("unable to parse requirement: found 'x', expected: '('"));
        check("a in (x", Err("unable to parse requirement: found '', expected: ',' or ')'"));
        check(
            "a in ()",
            Err("unable to parse requirement: values: Invalid value: []: \
                 for 'in', 'notin' operators, values set can't be empty"),
        );
        check("!", Err("unable to parse requirement: found '', expected: identifier"));
        check(
            "-a=b",
            Err(
                "unable to parse requirement: key: Invalid value: \"-a\": name part must consist of alphanumeric \
                 characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  \
                 or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
            ),
        );
    }

    #[test]
    fn matching() {
        let db = labels(&[("app", "db"), ("tier", "3")]);
        let holds = |text: &str| LabelSelector::parse(text).unwrap().matches(&db);
        for text in [
            "",
            "app=db",
            "app!=web",
            "app in (db,web)",
            "x notin (y)",
            "app",
            "!x",
            "tier>2",
            "x!=y",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in ["app=web", "app!=db", "x in (y)", "x", "!app", "tier<3", "app>1", "app=db,x"] {
            assert!(!holds(text), "{text}");
        }
        assert!(!LabelSelector::nothing().matches(&db));
        assert!(LabelSelector::from_map(&labels(&[("app", "db")])).matches(&db));
        assert!(!LabelSelector::from_map(&labels(&[("app", "web")])).matches(&db));
    }

    #[test]
    fn the_object_form() {
        let expression = |operator: &str, values: &[&str]| meta::LabelSelector {
            match_labels: Some(labels(&[("app", "db")])),
            match_expressions: Some(vec![meta::LabelSelectorRequirement {
                key: "tier".to_owned(),
                operator: operator.to_owned(),
                values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
            }]),
        };
        let text = |selector: &meta::LabelSelector| {
            LabelSelector::from_object(selector).map(|selector| selector.to_string())
        };
        assert_eq!(text(&meta::LabelSelector::default()), Ok(String::new()));
        assert_eq!(text(&expression("In", &["b", "a"])), Ok("app=db,tier in (a,b)".to_owned()));
        assert_eq!(text(&expression("DoesNotExist", &[])), Ok("app=db,!tier".to_owned()));
        assert_eq!(
            text(&expression("Like", &[])).unwrap_err().to_string(),
            "\"Like\" is not a valid label selector operator"
        );
    }
}
