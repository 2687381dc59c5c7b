//! Where values lie in a JSON text, so that they can be kept byte for byte.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

/// The elements of an array, as they are written; `None` where it is not one.
pub(crate) fn elements(array: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = array.trim_ascii().strip_prefix(b"[")?.trim_ascii_start();
    let mut found = Vec::new();
    if rest == b"]" {
        return Some(found);
    }
    loop {
        let (element, after) = value(rest)?;
        found.push(element);
        match after.split_first()? {
            (b',', after) => rest = after.trim_ascii_start(),
            (b']', []) => return Some(found),
            _ => return None,
        }
    }
}

/// A member of an object, as it is written.
pub(crate) fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = object.trim_ascii().strip_prefix(b"{")?.trim_ascii_start();
    loop {
        let (key, after) = value(rest)?;
        let (found, after) = value(after.strip_prefix(b":")?.trim_ascii_start())?;
        if serde_json::from_slice::<String>(key).ok()? == name {
            return Some(found);
        }
        rest = after.strip_prefix(b",")?.trim_ascii_start();
    }
}

/// The value at the front, and what comes after it and white space.
fn value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut values = Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let (value, rest) = text.split_at_checked(values.byte_offset())?;
    Some((value, rest.trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_as_they_are_written() {
        let text = br#" [ {"a":1.50 , "data" : {"x":[ ]," y":"]\","} },2 ,[]] "#;
        let found = elements(text).expect("an array");
        assert_eq!(found.len(), 3);
        assert_eq!((found[1], found[2]), (&b"2"[..], &b"[]"[..]));
        assert_eq!(member(found[0], "data"), Some(&br#"{"x":[ ]," y":"]\","}"#[..]));
        assert_eq!(member(found[0], "a"), Some(&b"1.50"[..]));
        assert_eq!(member(found[0], "b"), None);
        assert_eq!(elements(b"[]"), Some(Vec::new()));
        for bad in [&b""[..], b"{}", b"[1", b"[1,]", b"[1]2"] {
            assert_eq!(elements(bad), None);
        }
    }
}
