//! The text form of label selectors (Kubernetes' `labels.Parse`).

use std::fmt;

use super::{Operator, Requirement};
use crate::selector::SelectorError;

/// Reads `a=b,c in (x,y),!d`.
pub(super) fn selector(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    Parser { tokens: tokens(text), next: 0 }.selector()
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
