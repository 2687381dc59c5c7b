//! Moving the conversation elsewhere without an address: asking for a number, offering one, proposing a messenger or a
//! deal outside the app.
//!
//! A sentence is read as the classes of its words (`lexicon`), not as a phrase: a channel or a telephone, an act between
//! the two who write, and no refusal. A refusal of *this* place ("not nice here") is no refusal of the other.

use super::lexicon::{
    APP, ASK, BETTER, CALL, CHANNEL, DEAL, DIRECT, HERE, JOB, LOWER, MINE, NEG, NUMBER, OUTSIDE, PHONE, TALK, UNIT, USER, YOURS,
};
use super::normalise::{Kind, Text};

/// What is proposed, as a word for the evidence.
pub(super) fn proposal(text: &Text) -> Option<&'static str> {
    let has = |class: u32| text.classes & class != 0;
    let first = |class: u32| text.tokens.iter().position(|token| token.lex.is(class));
    let last = |class: u32| text.tokens.iter().rposition(|token| token.lex.is(class));
    if has(JOB) || !has(OUTSIDE | CHANNEL | NUMBER | PHONE | DIRECT) {
        return None;
    }
    if let Some(negation) = first(NEG & !NUMBER) {
        let of_here =
            last(HERE).is_some_and(|here| here > negation) && first(CHANNEL | PHONE | OUTSIDE).is_some_and(|there| there < negation);
        if !of_here {
            return None;
        }
    }
    // "Here is better than there" keeps to the app.
    if let (Some(here), Some(better), Some(there)) = (first(APP | HERE), first(BETTER), first(CHANNEL | PHONE))
        && here < better
        && better < there
    {
        return None;
    }
    let possessed = |owner: u32| {
        text.tokens.iter().any(|token| token.lex.is(NUMBER | PHONE) && token.lex.is(owner))
            || (has(owner) && text.tokens.iter().any(|token| token.lex.is(NUMBER | PHONE)))
    };
    let words = text.tokens.iter().filter(|token| matches!(token.kind, Kind::Word | Kind::Mixed)).count();
    if has(OUTSIDE) && has(APP) && has(DEAL | TALK | ASK) {
        return Some("outside the app");
    }
    let channel = text.tokens.iter().any(|token| token.lex.is(CHANNEL));
    if channel
        && (has(TALK | BETTER | DIRECT | YOURS) || has(ASK) && has(USER))
        && (!has(HERE | APP) || has(BETTER | DIRECT | YOURS | OUTSIDE | NEG))
    {
        return Some("messenger");
    }
    if channel && has(ASK) && words <= 6 {
        return Some("messenger");
    }
    if possessed(YOURS) && !has(LOWER | UNIT) && (has(ASK | DEAL | TALK) || words <= 5) {
        return Some("your number");
    }
    if possessed(MINE) && !has(LOWER) && has(ASK | TALK) {
        return Some("my number");
    }
    let called = text.tokens.iter().any(|token| token.lex.is(CALL) && token.lex.is(TALK));
    if called && has(PHONE | DIRECT) && (has(BETTER) || !has(APP | HERE)) {
        return Some("a call");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::messenger("shall we continue on telegram", true)]
    #[case::messenger_arabic("نكمل كلام على الواتساب", true)]
    #[case::number_asked("send me your mobile number", true)]
    #[case::number_asked_franco("eb3atly nemretak", true)]
    #[case::number_offered("رقمي مكتوب على الباب", true)]
    #[case::outside("ندفع بره التطبيق ونوفر", true)]
    #[case::refusal("no whatsapp, sorry", false)]
    #[case::refusal_by_verb("مبديش رقمي لحد", false)]
    #[case::in_the_app("call me from the app", false)]
    #[case::order_number("what is your order number", false)]
    #[case::broken_phone("my phone is broken, repair it", false)]
    #[case::somebody_else("I will ring the landlord", false)]
    #[case::advert("I want ads on facebook", false)]
    fn proposals(#[case] raw: &str, #[case] expected: bool) {
        assert_eq!(proposal(&Text::new(raw)).is_some(), expected);
    }
}
