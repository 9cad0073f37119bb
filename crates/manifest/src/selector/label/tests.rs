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
    check("a=b,c!=d,e in (x,y),f notin (z,w),g,!h", Ok("a=b,c!=d,e in (x,y),f notin (w,z),g,!h"));
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
        Err("unable to parse requirement: found '=', expected: !, identifier, or 'end of string'"),
    );
    check(
        "a b",
        Err("unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    );
    check("a=b c", Err("unable to parse requirement: found 'c', expected: ',' or 'end of string'"));
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
    for text in
        ["", "app=db", "app!=web", "app in (db,web)", "x notin (y)", "app", "!x", "tier>2", "x!=y"]
    {
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
