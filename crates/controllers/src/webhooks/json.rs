//! JSON with Go's words for what is no JSON (`encoding/json`, its scanner).

use serde_json::Value;

/// Reads a text, or says what is wrong with it as Go does.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        at: 0,
        depth: 0,
    };
    scanner.value()?;
    scanner.space();
    match scanner.peek() {
        Some(c) => Err(invalid(c, "after top-level value")),
        None => serde_json::from_str(text).map_err(|why| why.to_string()),
    }
}

/// A byte counts as a character of Latin-1.
fn invalid(byte: u8, place: &str) -> String {
    let shown = match byte {
        b'\'' => "\\'".to_owned(),
        b'"' => "\"".to_owned(),
        byte => {
            let quoted = super::go::quote(&char::from(byte).to_string());
            quoted[1..quoted.len() - 1].to_owned()
        }
    };
    format!("invalid character '{shown}' {place}")
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

/// As deep as `serde_json` reads; Go goes on to 10,000, and then says the same.
const MAX_DEPTH: usize = 127;

type Scanned = Result<(), String>;

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, String> {
        let byte = self.peek().ok_or("unexpected end of JSON input")?;
        self.at += 1;
        Ok(byte)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn next_after_space(&mut self) -> Result<u8, String> {
        self.space();
        self.next()
    }

    fn value(&mut self) -> Scanned {
        if self.depth > MAX_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        self.depth += 1;
        let scanned = self.any_value();
        self.depth -= 1;
        scanned
    }

    fn any_value(&mut self) -> Scanned {
        match self.next_after_space()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' => match self.next()? {
                digit @ b'0'..=b'9' => self.number(digit),
                c => Err(invalid(c, "in numeric literal")),
            },
            digit @ b'0'..=b'9' => self.number(digit),
            c => Err(invalid(c, "looking for beginning of value")),
        }
    }

    fn object(&mut self) -> Scanned {
        let mut is_first = true;
        loop {
            match self.next_after_space()? {
                b'"' => self.string()?,
                b'}' if is_first => return Ok(()),
                c => return Err(invalid(c, "looking for beginning of object key string")),
            }
            is_first = false;
            match self.next_after_space()? {
                b':' => self.value()?,
                c => return Err(invalid(c, "after object key")),
            }
            match self.next_after_space()? {
                b',' => {}
                b'}' => return Ok(()),
                c => return Err(invalid(c, "after object key:value pair")),
            }
        }
    }

    fn array(&mut self) -> Scanned {
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value()?;
            match self.next_after_space()? {
                b',' => {}
                b']' => return Ok(()),
                c => return Err(invalid(c, "after array element")),
            }
        }
    }

    fn string(&mut self) -> Scanned {
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                c if c < 0x20 => return Err(invalid(c, "in string literal")),
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Scanned {
        match self.next()? {
            b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => Ok(()),
            b'u' => (0..4).try_for_each(|_| match self.next()? {
                c if c.is_ascii_hexdigit() => Ok(()),
                c => Err(invalid(c, "in \\u hexadecimal character escape")),
            }),
            c => Err(invalid(c, "in string escape code")),
        }
    }

    fn literal(&mut self, word: &str) -> Scanned {
        for expected in word.bytes().skip(1) {
            let c = self.next()?;
            if c != expected {
                let place = format!("in literal {word} (expecting '{}')", char::from(expected));
                return Err(invalid(c, &place));
            }
        }
        Ok(())
    }

    fn number(&mut self, first: u8) -> Scanned {
        if first != b'0' {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self, place: &str) -> Scanned {
        match self.next()? {
            c if c.is_ascii_digit() => {
                self.digits();
                Ok(())
            }
            c => Err(invalid(c, place)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text of a hostile user must not end the program.
    #[test]
    fn what_is_too_deep_is_refused() {
        for text in ["[", r#"{"a":"#] {
            let deep = parse(&text.repeat(1_000_000));
            assert_eq!(deep, Err("exceeded max depth".to_owned()));
        }
        let nested = |depth: usize| parse(&("[".repeat(depth) + &"]".repeat(depth)));
        assert!(nested(127).is_ok());
        assert!(nested(128).is_err());
    }

    /// As `encoding/json` of Go 1.26 says it.
    #[test]
    fn go_says_what_is_no_json() {
        for (text, why) in [
            ("", "unexpected end of JSON input"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("é", "invalid character 'Ã' looking for beginning of value"),
            (
                "{bad",
                "invalid character 'b' looking for beginning of object key string",
            ),
            (r#"{"a" 1}"#, "invalid character '1' after object key"),
            (
                r#"{"a":"b"c"}"#,
                "invalid character 'c' after object key:value pair",
            ),
            (
                r#"{"a":"\1"}"#,
                "invalid character '1' in string escape code",
            ),
            (
                "{\"a\":\"\n\"}",
                "invalid character '\\n' in string literal",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            (
                "nul1",
                "invalid character '1' in literal null (expecting 'l')",
            ),
            ("-x", "invalid character 'x' in numeric literal"),
            ("01", "invalid character '1' after top-level value"),
            ("{}'", "invalid character '\\'' after top-level value"),
        ] {
            assert_eq!(parse(text).unwrap_err(), why, "{text}");
        }
        assert_eq!(parse(r#" {"a": [1.5e3, "b"]} "#).unwrap()["a"][1], "b");
    }
}
