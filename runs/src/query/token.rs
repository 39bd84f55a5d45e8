//! The words of an expression.

use super::QueryError;

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or keyword as written.
    Word(String),
    /// A column name in backticks: never a keyword.
    Column(String),
    Number(f64),
    Text(String),
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`, `(`, `)`, `,`.
    Sign(&'static str),
}

/// A word and where it begins, in characters from 1.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) at: usize,
}

/// Longest first.
const SIGNS: [(&str, &str); 13] = [
    ("<=", "<="),
    (">=", ">="),
    ("<>", "!="),
    ("!=", "!="),
    ("==", "="),
    ("&&", "and"),
    ("||", "or"),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
    ("(", "("),
    (")", ")"),
    (",", ","),
];

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, QueryError> {
    let characters: Vec<char> = text.chars().collect();
    let mut reader = Reader { text, characters: &characters, at: 0 };
    let mut found = Vec::new();
    while let Some(placed) = reader.next()? {
        found.push(placed);
    }
    Ok(found)
}

struct Reader<'a> {
    text: &'a str,
    characters: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Option<Placed>, QueryError> {
        while self.characters.get(self.at).is_some_and(|character| character.is_whitespace()) {
            self.at += 1;
        }
        let Some(&first) = self.characters.get(self.at) else { return Ok(None) };
        let at = self.at + 1;
        let token = match first {
            '\'' | '"' => Token::Text(self.quoted(first)?),
            '`' => Token::Column(self.quoted(first)?),
            '0'..='9' => self.number()?,
            '-' | '+' | '.' if self.begins_number() => self.number()?,
            first if is_name(first) => Token::Word(self.run(is_name)),
            _ => self.sign()?,
        };
        Ok(Some(Placed { token, at }))
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.characters.get(self.at).is_some_and(|character| belongs(*character)) {
            self.at += 1;
        }
        self.characters[start..self.at].iter().collect()
    }

    /// Up to the closing quote; a doubled quote stands for itself.
    fn quoted(&mut self, quote: char) -> Result<String, QueryError> {
        let opened = self.at;
        self.at += 1;
        let mut inside = String::new();
        loop {
            match (self.characters.get(self.at), self.characters.get(self.at + 1)) {
                (Some(a), Some(b)) if *a == quote && *b == quote => {
                    inside.push(quote);
                    self.at += 2;
                }
                (Some(a), _) if *a == quote => {
                    self.at += 1;
                    return Ok(inside);
                }
                (Some(a), _) => {
                    inside.push(*a);
                    self.at += 1;
                }
                (None, _) => return Err(self.wrong(opened, "a closing quote")),
            }
        }
    }

    fn begins_number(&self) -> bool {
        let digit = |at: usize| self.characters.get(at).is_some_and(char::is_ascii_digit);
        digit(self.at + 1) || (self.characters.get(self.at + 1) == Some(&'.') && digit(self.at + 2))
    }

    fn number(&mut self) -> Result<Token, QueryError> {
        let start = self.at;
        let mut word = String::new();
        while let Some(&character) = self.characters.get(self.at) {
            let after_exponent = word.ends_with(['e', 'E']);
            let belongs = is_name(character) || (matches!(character, '+' | '-') && (word.is_empty() || after_exponent));
            if !belongs {
                break;
            }
            word.push(character);
            self.at += 1;
        }
        match word.replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Token::Number(number)),
            _ => Err(self.wrong(start, "a number such as `64`, `-1` or `1.5e-3`")),
        }
    }

    fn sign(&mut self) -> Result<Token, QueryError> {
        let starts = |sign: &str| sign.chars().enumerate().all(|(at, c)| self.characters.get(self.at + at) == Some(&c));
        let Some((written, meant)) = SIGNS.into_iter().find(|(written, _)| starts(written)) else {
            return Err(self.wrong(self.at, "a column, a comparison or a value"));
        };
        self.at += written.len();
        Ok(if matches!(meant, "and" | "or") { Token::Word(meant.to_owned()) } else { Token::Sign(meant) })
    }

    fn wrong(&self, at: usize, expected: &'static str) -> QueryError {
        let word: String = self.characters[at..].iter().take(20).take_while(|character| !character.is_whitespace()).collect();
        QueryError::Syntax { text: self.text.to_owned(), found: format!("`{word}`"), at: at + 1, expected }
    }
}

/// Column names hold dots (`knob.tile_m`); others stand in backticks.
fn is_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.')
}
