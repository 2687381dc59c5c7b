use proptest::prelude::*;
use rstest::rstest;

use super::*;

#[rstest]
#[case::none("[]", Some(vec![]))]
#[case::blank(" [ ] ", Some(vec![]))]
#[case::one("[{\"a\":1}]", Some(vec!["{\"a\":1}"]))]
#[case::brackets_in_text("[\"]\", {\"a\":\"}\\\"]\"} ,[1,[2]]]", Some(vec!["\"]\"", "{\"a\":\"}\\\"]\"}", "[1,[2]]"]))]
#[case::scalars("[1 ,true,null]", Some(vec!["1", "true", "null"]))]
#[case::an_object("{}", None)]
#[case::more_behind("[1] 2", None)]
#[case::open("[1", None)]
#[case::open_text("[\"a]", None)]
#[case::open_object("[{]", None)]
#[case::nothing_between("[1,,2]", None)]
#[case::comma_last("[1,]", None)]
#[case::empty("", None)]
fn an_array_is_parted(#[case] text: &str, #[case] expected: Option<Vec<&str>>) {
    let found = elements(text.as_bytes(), usize::MAX)
        .map(|all| all.into_iter().map(|one| std::str::from_utf8(one).expect("cut at ASCII")).collect());
    assert_eq!(found, expected);
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        "[\"\\\\{}\\[\\],: a-cء]{0,8}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::vec(("[\"\\\\{}a-c]{0,4}", inner), 0..5)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_parts_are_the_elements(values in prop::collection::vec(json(), 0..6), pretty in any::<bool>()) {
        let whole = serde_json::Value::from(values.clone());
        let text = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) }.expect("JSON");
        let parts = elements(text.as_bytes(), usize::MAX).expect("an array");
        let decoded: Vec<serde_json::Value> = parts.into_iter().map(|part| serde_json::from_slice(part).expect("an element")).collect();
        prop_assert_eq!(decoded, values);
    }

    #[test]
    fn any_bytes_end(bytes in prop::collection::vec(prop::sample::select(b"{}[]\",:\\ 1a".to_vec()), 0..40)) {
        if let Some(parts) = elements(&bytes, usize::MAX) {
            prop_assert!(parts.iter().all(|part| !part.is_empty()));
        }
    }
}
