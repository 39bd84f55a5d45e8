//! JSON as tools really write it: appended to until the process ended, and with Python's words for what JSON cannot say.

/// What a scan of the text found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// Between values.
    Between,
    /// Within a string.
    Text,
    /// After a backslash in a string.
    Escaped,
}

/// A copy that parses, and what was done to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repaired {
    pub(super) text: String,
    pub(super) what: String,
}

/// Closes a text that was cut at its end: everything after the last complete member of the outermost objects is dropped, and what
/// is open is closed. `depth` is how many objects are open around an entry (2 for `{"cache": {…`). `None` where there is nothing
/// to close, or no complete entry before the cut.
pub(super) fn close(text: &str, depth: usize) -> Option<Repaired> {
    let mut open: Vec<u8> = Vec::new();
    let mut state = Value::Between;
    let mut last: Option<(usize, Vec<u8>)> = None;
    for (at, byte) in text.bytes().enumerate() {
        match (state, byte) {
            (Value::Text, b'\\') => state = Value::Escaped,
            (Value::Escaped, _) => state = Value::Text,
            (Value::Text, b'"') => state = Value::Between,
            (Value::Between, b'"') => state = Value::Text,
            (Value::Between, b'{') => open.push(b'}'),
            (Value::Between, b'[') => open.push(b']'),
            (Value::Between, b'}' | b']') => {
                if open.pop() != Some(byte) {
                    return None;
                }
                if open.len() <= depth && open.iter().all(|closer| *closer == b'}') {
                    last = Some((at + 1, open.clone()));
                }
            }
            _ => {}
        }
    }
    let (end, mut open) = last?;
    let dropped = text[end..].trim_matches(|character: char| character.is_whitespace() || character == ',').len();
    open.reverse();
    let closers = String::from_utf8(open).expect("closers are ASCII");
    let cut = if dropped > 0 { format!(", {dropped} bytes of a cut entry dropped") } else { String::new() };
    let what = format!("cut end closed with `{closers}`{cut}");
    Some(Repaired { text: format!("{}{closers}", &text[..end]), what })
}

/// JSON, as far as words and commas go, and what was changed for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) text: String,
    pub(super) what: Vec<String>,
}

/// Puts `NaN`, `Infinity` and `-Infinity` between quotes and takes away commas before closing braces, outside strings.
pub(super) fn to_json(text: &str) -> Plain {
    let (mut commas, mut words) = (0, 0);
    let mut out = String::new();
    let mut copied = 0;
    let mut state = Value::Between;
    let mut comma: Option<usize> = None;
    for (at, byte) in text.bytes().enumerate() {
        match (state, byte) {
            (Value::Text, b'\\') => state = Value::Escaped,
            (Value::Escaped, _) => state = Value::Text,
            (Value::Text, b'"') => state = Value::Between,
            (Value::Between, b'"') => (state, comma) = (Value::Text, None),
            (Value::Between, b',') => comma = Some(at),
            (Value::Between, b'}' | b']') => {
                if let Some(comma) = comma.take() {
                    out.push_str(&text[copied..comma]);
                    copied = comma + 1;
                    commas += 1;
                }
            }
            (Value::Between, b'N' | b'I' | b'-') => {
                comma = None;
                let word = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| text[at..].starts_with(word));
                if let Some(word) = word.filter(|_| at >= copied) {
                    out.push_str(&text[copied..at]);
                    out.push('"');
                    out.push_str(word);
                    out.push('"');
                    copied = at + word.len();
                    words += 1;
                }
            }
            (Value::Between, byte) if !byte.is_ascii_whitespace() => comma = None,
            _ => {}
        }
    }
    out.push_str(&text[copied..]);
    let counted =
        [(commas, "commas before closing braces removed"), (words, "numbers without a JSON form (`NaN`, `Infinity`) quoted")];
    let what = counted.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    Plain { text: out, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_json_has_not_are_quoted_outside_strings_only() {
        let check = |text: &str, expected: &str| assert_eq!(to_json(text).text, expected);
        check(r#"{"a": 1}"#, r#"{"a": 1}"#);
        check(r#"{"a": NaN, "NaN": -Infinity}"#, r#"{"a": "NaN", "NaN": "-Infinity"}"#);
        check(r#"[Infinity,-1,"\"NaN"]"#, r#"["Infinity",-1,"\"NaN"]"#);
        check(r#"{"a": {"b": 1},}"#, r#"{"a": {"b": 1}}"#);
        check("[1, 2 ,\n]", "[1, 2 \n]");
        check(r#"["a,]", 2]"#, r#"["a,]", 2]"#);
        check("[NaN,]", r#"["NaN"]"#);
    }

    #[test]
    fn a_cut_end_is_closed_after_the_last_complete_entry() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(close(text, 2).map(|repaired| repaired.text).as_deref(), expected, "{text}");
        };
        let whole = r#"{"n": "}", "cache": {"1,2": {"t": [1, 2]}}}"#;
        check(r#"{"n": "}", "cache": {"1,2": {"t": [1, 2]}}"#, Some(whole));
        check(r#"{"n": "}", "cache": {"1,2": {"t": [1, 2]}"#, Some(whole));
        check(r#"{"n": "}", "cache": {"1,2": {"t": [1, 2]},"#, Some(whole));
        check(r#"{"n": "}", "cache": {"1,2": {"t": [1, 2]}, "2,3": {"t": [1, "#, Some(whole));
        check(r#"{"n": "}", "cache": {"1,2": {"t": [1, 2]}, "2,"#, Some(whole));
        check(r#"{"n": "}", "cache": {"1,2": {"t": [1"#, None);
        check("[1, 2", None);
        check("{]", None);
        check("<html>", None);
    }
}
