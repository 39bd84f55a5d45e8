//! PTX text → tokens with lines.

use super::PtxError;

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tok<'a> {
    /// Name, opcode with modifiers, directive or number.
    Word(&'a str),
    /// Text between quotes.
    Text(&'a str),
    /// One character.
    Mark(u8),
}

/// A token and its line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) tok: Tok<'a>,
    pub(crate) line: u32,
}

fn in_word(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'$' | b'%' | b'.')
}

/// Splits a text.
pub(crate) fn lex(text: &str) -> Result<Vec<Token<'_>>, PtxError> {
    let bytes = text.as_bytes();
    let (mut out, mut i, mut line) = (Vec::with_capacity(text.len() / 4), 0, 1u32);
    while i < bytes.len() {
        let c = bytes[i];
        let start = i;
        if c == b'\n' {
            line += 1;
            i += 1;
        } else if c.is_ascii_whitespace() || c == 0 {
            i += 1;
        } else if bytes[i..].starts_with(b"//") {
            i += bytes[i..].iter().position(|&c| c == b'\n').unwrap_or(bytes.len() - i);
        } else if bytes[i..].starts_with(b"/*") {
            let end = text[i..].find("*/").ok_or_else(|| PtxError { line, message: "comment without end".into() })?;
            line += bytes[i..i + end].iter().filter(|&&c| c == b'\n').count() as u32;
            i += end + 2;
        } else if c == b'"' {
            let end = text[i + 1..].find('"').ok_or_else(|| PtxError { line, message: "text without end".into() })?;
            out.push(Token { tok: Tok::Text(&text[i + 1..i + 1 + end]), line });
            i += end + 2;
        } else if in_word(c) {
            // Directives may stand together without a space (`.reg.b16`).
            i = if c == b'.' { directive_end(bytes, i) } else { word_end(bytes, i) };
            out.push(Token { tok: Tok::Word(&text[start..i]), line });
        } else {
            out.push(Token { tok: Tok::Mark(c), line });
            i += 1;
        }
    }
    Ok(out)
}

fn directive_end(bytes: &[u8], start: usize) -> usize {
    let more = bytes[start + 1..].iter().position(|&c| !in_word(c) || c == b'.');
    more.map_or(bytes.len(), |n| start + 1 + n)
}

/// `::` belongs to a word (`.L2::128B`), a single `:` ends a label.
fn word_end(bytes: &[u8], mut i: usize) -> usize {
    loop {
        if i < bytes.len() && in_word(bytes[i]) {
            i += 1;
        } else if bytes[i..].starts_with(b"::") {
            i += 2;
        } else {
            return i;
        }
    }
}
