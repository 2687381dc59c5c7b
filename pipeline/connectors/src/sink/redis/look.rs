//! Looking whether scores are where they were written.

use ::redis::{Value, cmd, from_redis_value};
use rasid_engine::ScoreChange;

use super::config::Config;
use super::connection::Error;
use super::key;
use super::link::{Keyed, Link};

/// What was found where scores should be: indexes in what was looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Nothing is there, or nothing of the score.
    pub missing: Vec<usize>,
    /// What is there was not written by Rasid.
    pub foreign: Vec<usize>,
}

pub(super) async fn look(link: &mut Link, config: &Config, scores: &[ScoreChange]) -> Result<Looked, Error> {
    let ask = |change: &ScoreChange| {
        let key = key(&change.entity);
        let command = cmd("HMGET").arg(&key).arg("version").arg("score").to_owned();
        Keyed { key, command }
    };
    let asked: Vec<Keyed> = scores.iter().map(ask).collect();
    let mut looked = Looked::default();
    for ((index, change), answer) in scores.iter().enumerate().zip(link.run(config, &asked).await?) {
        match answer {
            Ok(found) => match judge(found, change.version) {
                Found::There => {}
                Found::Missing => looked.missing.push(index),
                Found::Foreign => looked.foreign.push(index),
            },
            Err(error) if is_wrong_type(&error.to_string()) => looked.foreign.push(index),
            Err(error) => return Err(Error::Command(error.into())),
        }
    }
    Ok(looked)
}

/// Whether an error says that a key holds a value of another type.
pub(super) fn is_wrong_type(error: &str) -> bool {
    error.contains("WRONGTYPE")
}

/// Ours are Unix ms; the script that writes holds them to the same bound.
const VERSION_END: i64 = 1_000_000_000_000_000;

#[derive(Debug, PartialEq, Eq)]
enum Found {
    There,
    Missing,
    Foreign,
}

/// What `version` and `score` say of a score of that version.
fn judge(found: Value, version: i64) -> Found {
    let Ok((held, score)) = from_redis_value::<(Option<String>, Option<String>)>(found) else { return Found::Foreign };
    let number = |text: &String| text.parse::<i64>().ok().filter(|number| (0..VERSION_END).contains(number));
    match (held.as_ref().map(number), score.as_ref().map(number)) {
        (None, None) => Found::Missing,
        (Some(Some(held)), None) if held == version => Found::Missing,
        // What was taken away, or is about to be written anew.
        (Some(Some(_)), None) => Found::There,
        (Some(Some(_)), Some(Some(score))) if score <= 100 => Found::There,
        _ => Found::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::ours(Some("7"), Some("50"), Found::There)]
    #[case::an_older_one(Some("6"), Some("50"), Found::There)]
    #[case::nothing(None, None, Found::Missing)]
    #[case::taken_away_since(Some("8"), None, Found::There)]
    #[case::taken_away_before(Some("6"), None, Found::There)]
    #[case::half_of_it(Some("7"), None, Found::Missing)]
    #[case::no_version(None, Some("50"), Found::Foreign)]
    #[case::another_version(Some("v7"), Some("50"), Found::Foreign)]
    #[case::another_score(Some("7"), Some("high"), Found::Foreign)]
    #[case::beyond_all_scores(Some("7"), Some("101"), Found::Foreign)]
    fn what_is_found_is_judged(#[case] held: Option<&str>, #[case] score: Option<&str>, #[case] expected: Found) {
        let value = |text: Option<&str>| text.map_or(Value::Nil, |text| Value::BulkString(text.as_bytes().to_vec()));
        assert_eq!(judge(Value::Array(vec![value(held), value(score)]), 7), expected);
    }
}
