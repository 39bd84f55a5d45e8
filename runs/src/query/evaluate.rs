//! An expression over a frame → the rows where it is true.

use polars::prelude::*;

use super::columns::{Values, resolve, values};
use super::{Compare, Expr, Literal, Operand, QueryError, parse};

/// The rows of `frame` where the expression `text` is true.
///
/// # Errors
/// The text is no expression, or asks for columns that are not there or hold something else.
pub fn filter(frame: &DataFrame, text: &str) -> Result<DataFrame, QueryError> {
    let keep = rows_where(frame, &parse(text)?)?;
    Ok(frame.filter(&BooleanChunked::from_iter_values("keep".into(), keep.into_iter()))?)
}

/// For every row whether `expr` is true there; what null makes unknown is not.
///
/// # Errors
/// As [`filter`], but for the text.
pub fn rows_where(frame: &DataFrame, expr: &Expr) -> Result<Vec<bool>, QueryError> {
    Ok(truth(frame, expr)?.into_iter().map(|truth| truth == Some(true)).collect())
}

/// True, false or unknown, by row.
type Truth = Vec<Option<bool>>;

fn truth(frame: &DataFrame, expr: &Expr) -> Result<Truth, QueryError> {
    Ok(match expr {
        Expr::And(left, right) => join(truth(frame, left)?, truth(frame, right)?, false),
        Expr::Or(left, right) => join(truth(frame, left)?, truth(frame, right)?, true),
        Expr::Not(inner) => truth(frame, inner)?.into_iter().map(|truth| truth.map(|truth| !truth)).collect(),
        Expr::Compare(left, compare, right) => compared(&side(frame, left)?, *compare, &side(frame, right)?)?,
        Expr::In(operand, list) => one_of(&side(frame, operand)?, list)?,
        Expr::Like(operand, pattern) => like(&side(frame, operand)?, pattern)?,
        Expr::IsNull(operand) => nulls(&side(frame, operand)?, frame.height()),
        Expr::Flag(operand) => flag(&side(frame, operand)?)?,
    })
}

/// Kleene's logic: `decisive` on either side decides, otherwise null on either side leaves it unknown.
fn join(left: Truth, right: Truth, decisive: bool) -> Truth {
    let one = |(left, right)| match (left, right) {
        (Some(a), _) | (_, Some(a)) if a == decisive => Some(decisive),
        (Some(_), Some(_)) => Some(!decisive),
        _ => None,
    };
    left.into_iter().zip(right).map(one).collect()
}

/// One side of a comparison.
struct Side {
    name: String,
    values: SideValues,
}

enum SideValues {
    Column(Values),
    One(Literal, usize),
}

fn side(frame: &DataFrame, operand: &Operand) -> Result<Side, QueryError> {
    Ok(match operand {
        Operand::Column(name) => {
            let name = resolve(frame, name)?;
            Side { values: SideValues::Column(values(frame, &name)?), name }
        }
        Operand::Literal(literal) => Side { name: shown(literal), values: SideValues::One(literal.clone(), frame.height()) },
    })
}

fn shown(literal: &Literal) -> String {
    match literal {
        Literal::Number(number) => number.to_string(),
        Literal::Text(text) => format!("'{text}'"),
        Literal::Flag(flag) => flag.to_string(),
    }
}

impl Side {
    fn kind(&self) -> &'static str {
        match &self.values {
            SideValues::Column(values) => values.kind(),
            SideValues::One(Literal::Number(_), _) => "numbers",
            SideValues::One(Literal::Text(_), _) => "text",
            SideValues::One(Literal::Flag(_), _) => "flags",
        }
    }

    fn numbers(&self) -> Option<Box<dyn Iterator<Item = Option<f64>> + '_>> {
        match &self.values {
            SideValues::Column(Values::Numbers(values)) => Some(Box::new(values.iter().copied())),
            SideValues::One(Literal::Number(value), rows) => Some(Box::new(std::iter::repeat_n(Some(*value), *rows))),
            _ => None,
        }
    }

    fn texts(&self) -> Option<Box<dyn Iterator<Item = Option<&str>> + '_>> {
        match &self.values {
            SideValues::Column(Values::Texts(values)) => Some(Box::new(values.iter().map(Option::as_deref))),
            SideValues::One(Literal::Text(value), rows) => Some(Box::new(std::iter::repeat_n(Some(value.as_str()), *rows))),
            _ => None,
        }
    }

    fn flags(&self) -> Option<Box<dyn Iterator<Item = Option<bool>> + '_>> {
        match &self.values {
            SideValues::Column(Values::Flags(values)) => Some(Box::new(values.iter().copied())),
            SideValues::One(Literal::Flag(value), rows) => Some(Box::new(std::iter::repeat_n(Some(*value), *rows))),
            _ => None,
        }
    }

    fn mismatch(&self, other: &str) -> QueryError {
        QueryError::Types { left: self.name.clone(), kind: self.kind(), other: other.to_owned() }
    }
}

fn compared(left: &Side, compare: Compare, right: &Side) -> Result<Truth, QueryError> {
    if let (Some(left), Some(right)) = (left.numbers(), right.numbers()) {
        return Ok(pairs(left, right, compare, |a, b| a.partial_cmp(b)));
    }
    if let (Some(left), Some(right)) = (left.texts(), right.texts()) {
        return Ok(pairs(left, right, compare, |a, b| Some(a.cmp(b))));
    }
    if let (Some(left), Some(right)) = (left.flags(), right.flags()) {
        return Ok(pairs(left, right, compare, |a, b| Some(a.cmp(b))));
    }
    Err(left.mismatch(&format!("{} (`{}`)", right.kind(), right.name)))
}

fn pairs<T>(
    left: impl Iterator<Item = Option<T>>,
    right: impl Iterator<Item = Option<T>>,
    compare: Compare,
    order: impl Fn(&T, &T) -> Option<std::cmp::Ordering>,
) -> Truth {
    let one = |(left, right): (Option<T>, Option<T>)| {
        let order = order(&left?, &right?)?;
        Some(match compare {
            Compare::Equal => order.is_eq(),
            Compare::NotEqual => order.is_ne(),
            Compare::Less => order.is_lt(),
            Compare::LessEqual => order.is_le(),
            Compare::Greater => order.is_gt(),
            Compare::GreaterEqual => order.is_ge(),
        })
    };
    left.zip(right).map(one).collect()
}

fn one_of(side: &Side, list: &[Literal]) -> Result<Truth, QueryError> {
    let wrong = |literal: &Literal| side.mismatch(&format!("`{}`", shown(literal)));
    if let Some(numbers) = side.numbers() {
        let number = |literal: &Literal| if let Literal::Number(value) = literal { Ok(*value) } else { Err(wrong(literal)) };
        let list = list.iter().map(number).collect::<Result<Vec<f64>, _>>()?;
        return Ok(numbers.map(|value| value.map(|value| list.contains(&value))).collect());
    }
    if let Some(texts) = side.texts() {
        let text = |literal: &Literal| if let Literal::Text(value) = literal { Ok(value.clone()) } else { Err(wrong(literal)) };
        let list = list.iter().map(text).collect::<Result<Vec<String>, _>>()?;
        return Ok(texts.map(|value| value.map(|value| list.iter().any(|one| one == value))).collect());
    }
    let expected = "numbers or text";
    Err(QueryError::Kind { name: side.name.clone(), kind: side.kind(), expected })
}

fn like(side: &Side, pattern: &str) -> Result<Truth, QueryError> {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    match side.texts() {
        Some(texts) => Ok(texts.map(|text| text.map(|text| matches(text, &pattern))).collect()),
        None => Err(QueryError::Kind { name: side.name.clone(), kind: side.kind(), expected: "text" }),
    }
}

/// `%` any text, `_` one character, case ignored. Going back only to the last `%` keeps it at text × pattern steps.
fn matches(text: &str, pattern: &[char]) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut at, mut in_pattern, mut retry) = (0, 0, None);
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some('%') => {
                retry = Some((at, in_pattern));
                in_pattern += 1;
            }
            Some(wanted) if *wanted == '_' || *wanted == text[at] => {
                at += 1;
                in_pattern += 1;
            }
            _ => match retry {
                Some((from, star)) => {
                    at = from + 1;
                    in_pattern = star + 1;
                    retry = Some((from + 1, star));
                }
                None => return false,
            },
        }
    }
    pattern[in_pattern..].iter().all(|rest| *rest == '%')
}

fn nulls(side: &Side, rows: usize) -> Truth {
    match &side.values {
        SideValues::Column(Values::Numbers(values)) => values.iter().map(|value| Some(value.is_none())).collect(),
        SideValues::Column(Values::Texts(values)) => values.iter().map(|value| Some(value.is_none())).collect(),
        SideValues::Column(Values::Flags(values)) => values.iter().map(|value| Some(value.is_none())).collect(),
        SideValues::One(..) => vec![Some(false); rows],
    }
}

fn flag(side: &Side) -> Result<Truth, QueryError> {
    match side.flags() {
        Some(flags) => Ok(flags.collect()),
        None => Err(QueryError::Kind { name: side.name.clone(), kind: side.kind(), expected: "a comparison or a flag" }),
    }
}
