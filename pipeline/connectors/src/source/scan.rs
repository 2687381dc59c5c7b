//! Finds its way through JSON text without decoding it: just enough to read one attribute or to part an array.
//!
//! It takes what is valid, and some of what is not; whoever decodes the piece later decides about that.

/// A place in a JSON text.
pub(crate) struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// Passes over whitespace and says what follows.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let blank = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.rest = self.rest.get(blank..)?;
        self.rest.first().copied()
    }

    /// Passes over whitespace and `byte`.
    pub(crate) fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.skip(1))
    }

    /// What lies between the quotes of the string that follows, escapes as they are.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let length = string_length(self.rest)?;
        let text = self.rest.get(..length);
        self.skip(length + 1);
        text
    }

    /// The text of the value that follows.
    pub(crate) fn value(&mut self) -> Option<&'a [u8]> {
        let first = self.peek()?;
        let length = match first {
            b'"' => string_length(self.rest.get(1..)?)? + 2,
            b'{' | b'[' => nested_length(self.rest)?,
            _ => self.rest.iter().take_while(|byte| !matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n' | b':')).count(),
        };
        let text = self.rest.get(..length).filter(|text| !text.is_empty());
        self.skip(length);
        text
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

/// Bytes up to the quote that ends a string, whose opening quote is behind us.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2; // the backslash and what it escapes
    }
}

/// Bytes of the object or array that begins here.
fn nested_length(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0_usize, 0_usize);
    loop {
        match text.get(at)? {
            b'"' => at += string_length(text.get(at + 1..)?)? + 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The texts of an array's elements, the first `max` of them; `None`: the text is no array.
pub(crate) fn elements(text: &[u8], max: usize) -> Option<Vec<&[u8]>> {
    let mut scan = Scan::new(text);
    let mut found = Vec::new();
    scan.expect(b'[')?;
    if scan.peek()? == b']' {
        scan.expect(b']')?;
    } else {
        loop {
            let value = scan.value()?;
            if found.len() < max {
                found.push(value);
            }
            match scan.peek()? {
                b',' => scan.expect(b',')?,
                b']' => break scan.expect(b']')?,
                _ => return None,
            }
        }
    }
    scan.peek().is_none().then_some(found)
}

#[cfg(test)]
mod tests;
