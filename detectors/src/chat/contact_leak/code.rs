//! A one-time code asked for in chat: who asks whom for what came to whom.
//!
//! ```text
//! a code    one that confirms, or that was sent to the other: to his telephone, in a message
//! asked     a request that is the writer's own, and for the thing: "tell me", "I need", "what is it"; not "they ask", "tell me when",
//!           "where do I type it", "I'll send you"
//! silent    clauses in which the code itself stands ("482913 is your code"), and those of one that came to the writer
//! ```

use super::intent::{Said, Word};
use super::lexicon::{NUMBER, PHONE, YOURS as OF_YOURS};
use super::speech::{
    APP, ASK, CAME, CODE, COMMON, GIVE, IF, POLITE, REACH, SELF, SENT, SOMEBODY, THEY, THING, TOME, TOYOU, VERIFYNUMBER, YOURS,
};

/// Whether a one-time code is asked for.
pub(super) fn is_asked(said: &Said) -> bool {
    // Most messages speak of neither.
    if !(said.does(CODE) || said.is(NUMBER) && said.does(VERIFYNUMBER | CAME)) {
        return false;
    }
    let words: smallvec::SmallVec<[Word; 48]> = said.words.iter().filter(|word| !said.is_told(word.clause)).copied().collect();
    let any = |acts| words.iter().any(|word| word.does(acts));
    if any(THING) || said.against {
        return false;
    }
    let requests = || (0..words.len()).filter(|at| is_request(&words, *at));
    let named = words.iter().any(|word| word.does(CODE));
    // "The number that came to you", "the confirmation number".
    let number = words.iter().any(|word| word.is(NUMBER)) && (any(VERIFYNUMBER) || any(CAME));
    if named {
        let confirms = |word: &Word| word.does(CODE) && word.does(SENT) && !word.does(COMMON);
        let strong = |at: usize| words.get(at).is_some_and(|word| word.does(GIVE) || !word.does(COMMON));
        requests().next().is_some() && is_sent(&words) || words.iter().any(confirms) && requests().any(strong) && (any(TOME | YOURS | GIVE))
    } else {
        number
            && requests().any(|at| words.get(at).is_some_and(|word| word.does(GIVE)) && any(TOME | VERIFYNUMBER) || any(CAME) && any(SENT))
    }
}

/// Whether the code of these words is one that was sent, and to the other.
fn is_sent(words: &[Word]) -> bool {
    let sent = words.iter().filter(|word| word.does(SENT));
    let of_other = |at: usize| {
        let near = words.get(at.saturating_sub(1)..words.len().min(at + 2)).unwrap_or(&[]);
        words.get(at).is_some_and(|word| word.is(PHONE)) && near.iter().any(|word| word.does(YOURS) || word.is(OF_YOURS))
    };
    words.iter().any(|word| word.does(REACH) && word.does(TOYOU))
        || sent.clone().any(|word| !word.does(CODE))
        || sent.count() > 1
        || (0..words.len()).any(of_other)
}

/// Whether the word at `at` is the writer's own request for a thing.
fn is_request(words: &[Word], at: usize) -> bool {
    /// Words between a verb and who does it.
    const SUBJECT: usize = 2;
    let Some(word) = words.get(at).filter(|word| word.does(ASK | GIVE) && !word.does(POLITE)) else { return false };
    let clause = |other: &&Word| other.clause == word.clause;
    let before = words.get(at.saturating_sub(SUBJECT)..at).unwrap_or(&[]).iter().filter(clause);
    let behind = words.get(at + 1..words.len().min(at + 1 + SUBJECT)).unwrap_or(&[]).iter().filter(clause);
    let does = |acts: u64| before.clone().any(|word| word.does(acts));
    // "They ask", "the app sent".
    let others = word.does(THEY) || does(SOMEBODY | APP) && !does(TOYOU);
    // "I'll send you", "I gave it".
    let given = word.does(GIVE) && (word.does(TOYOU) && !word.does(ASK) || does(SELF));
    // "Tell me when", "where do I type it"; "tell me, if you don't mind" asks for it.
    let about = behind.clone().chain(before.clone()).any(|word| word.does(IF));
    // "I tell you what" says nothing.
    let address = before.clone().next_back().is_some_and(|word| word.does(GIVE) && word.does(TOYOU)) && word.does(ASK) && !word.does(GIVE);
    !(others || given || about || address)
}
