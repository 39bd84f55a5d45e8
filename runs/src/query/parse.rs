//! The text of an expression → a tree. Precedence: `or` < `and` < `not` < comparisons.

use super::QueryError;
use super::token::{Placed, Token, tokens};

/// A condition on a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Both hold.
    And(Box<Expr>, Box<Expr>),
    /// One of them holds.
    Or(Box<Expr>, Box<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// Two sides compared.
    Compare(Operand, Compare, Operand),
    /// One of a list.
    In(Operand, Vec<Literal>),
    /// Text like a pattern: `%` any text, `_` one character.
    Like(Operand, String),
    /// Without a value.
    IsNull(Operand),
    /// A flag that is true.
    Flag(Operand),
}

/// How two sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

/// One side.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A column by its name, or the end of it where that is clear (`tile_m` for `knob.tile_m`).
    Column(String),
    /// A value.
    Literal(Literal),
}

/// A value as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `64`, `1.5e-3`
    Number(f64),
    /// `'nn'`
    Text(String),
    /// `true`, `false`
    Flag(bool),
}

/// Levels of parentheses and `not`: far more than a person writes, far fewer than the stack holds.
const DEPTH: usize = 64;

/// The expression in `text`.
///
/// # Errors
/// Names the word that is wrong, its place and what may stand there.
pub fn parse(text: &str) -> Result<Expr, QueryError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens: &tokens, next: 0, depth: 0 };
    let expr = parser.or()?;
    match parser.peek() {
        None => Ok(expr),
        Some(_) => Err(parser.wrong("`and`, `or` or the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Placed],
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Expr, QueryError> {
        let mut left = self.and()?;
        while self.keyword("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, QueryError> {
        let mut left = self.not()?;
        while self.keyword("and") {
            left = Expr::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr, QueryError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(QueryError::Depth { limit: DEPTH });
        }
        let expr = if self.keyword("not") {
            Expr::Not(Box::new(self.not()?))
        } else if self.sign("(") {
            let inside = self.or()?;
            self.expect(")", "`)`")?;
            inside
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn test(&mut self) -> Result<Expr, QueryError> {
        let left = self.operand()?;
        if self.keyword("is") {
            let not = self.keyword("not");
            return if self.keyword("null") {
                Ok(negated(Expr::IsNull(left), not))
            } else {
                Err(self.wrong("`null` or `not null`"))
            };
        }
        let not = self.keyword("not");
        if self.keyword("in") {
            return Ok(negated(Expr::In(left, self.list()?), not));
        }
        if self.keyword("like") {
            let Some(Token::Text(pattern)) = self.peek().cloned() else { return Err(self.wrong("a pattern in quotes")) };
            self.next += 1;
            return Ok(negated(Expr::Like(left, pattern), not));
        }
        if self.keyword("between") {
            return Ok(negated(self.between(left)?, not));
        }
        if not {
            return Err(self.wrong("`in`, `like` or `between`"));
        }
        match self.compare() {
            Some(compare) => Ok(Expr::Compare(left, compare, self.operand()?)),
            None if matches!(left, Operand::Column(_) | Operand::Literal(Literal::Flag(_))) => Ok(Expr::Flag(left)),
            None => Err(self.wrong("a comparison")),
        }
    }

    fn between(&mut self, value: Operand) -> Result<Expr, QueryError> {
        let low = self.operand()?;
        if !self.keyword("and") {
            return Err(self.wrong("`and`"));
        }
        let high = self.operand()?;
        let above = Expr::Compare(value.clone(), Compare::GreaterEqual, low);
        Ok(Expr::And(Box::new(above), Box::new(Expr::Compare(value, Compare::LessEqual, high))))
    }

    fn compare(&mut self) -> Option<Compare> {
        let Some(Token::Sign(sign)) = self.peek() else { return None };
        let compare = match *sign {
            "=" => Compare::Equal,
            "!=" => Compare::NotEqual,
            "<" => Compare::Less,
            "<=" => Compare::LessEqual,
            ">" => Compare::Greater,
            ">=" => Compare::GreaterEqual,
            _ => return None,
        };
        self.next += 1;
        Some(compare)
    }

    fn list(&mut self) -> Result<Vec<Literal>, QueryError> {
        self.expect("(", "`(` and a list of values")?;
        let mut values = Vec::new();
        loop {
            match self.operand()? {
                Operand::Literal(literal) => values.push(literal),
                Operand::Column(_) => {
                    self.next -= 1;
                    return Err(self.wrong("a number or a text in quotes"));
                }
            }
            if !self.sign(",") {
                self.expect(")", "`,` or `)`")?;
                return Ok(values);
            }
        }
    }

    fn operand(&mut self) -> Result<Operand, QueryError> {
        let operand = match self.peek() {
            Some(Token::Column(name)) => Operand::Column(name.clone()),
            Some(Token::Number(number)) => Operand::Literal(Literal::Number(*number)),
            Some(Token::Text(text)) => Operand::Literal(Literal::Text(text.clone())),
            Some(Token::Word(word)) => match word.to_ascii_lowercase().as_str() {
                "true" => Operand::Literal(Literal::Flag(true)),
                "false" => Operand::Literal(Literal::Flag(false)),
                "null" => return Err(self.wrong("a column or a value; `is null` asks for null")),
                "and" | "or" | "not" | "in" | "like" | "is" | "between" => return Err(self.wrong("a column or a value")),
                _ => Operand::Column(word.clone()),
            },
            _ => return Err(self.wrong("a column or a value")),
        };
        self.next += 1;
        Ok(operand)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|placed| &placed.token)
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str, expected: &'static str) -> Result<(), QueryError> {
        if self.sign(sign) { Ok(()) } else { Err(self.wrong(expected)) }
    }

    fn wrong(&self, expected: &'static str) -> QueryError {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Word(word) | Token::Column(word)) => format!("`{word}`"),
            Some(Token::Text(text)) => format!("`'{text}'`"),
            Some(Token::Number(number)) => format!("`{number}`"),
            Some(Token::Sign(sign)) => format!("`{sign}`"),
        };
        let at = self.tokens.get(self.next).map_or_else(|| self.text.chars().count() + 1, |placed| placed.at);
        QueryError::Syntax { text: self.text.to_owned(), found, at, expected }
    }
}

fn negated(expr: Expr, not: bool) -> Expr {
    if not { Expr::Not(Box::new(expr)) } else { expr }
}
