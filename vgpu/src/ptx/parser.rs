//! Tokens → [`RawModule`].

use super::PtxError;
use super::lexer::{Tok, Token, lex};
use super::number;
use super::syntax::{Arg, Init, RawFunction, RawInst, RawModule, Stmt, Var, VarSpace};
use super::types::Ty;

pub(crate) struct Parser<'a> {
    toks: Vec<Token<'a>>,
    pos: usize,
    loc: (u16, u32),
    module: RawModule<'a>,
}

type Res<T> = Result<T, PtxError>;

/// Reads a whole text.
pub(crate) fn parse_raw(text: &str) -> Res<RawModule<'_>> {
    let mut parser = Parser { toks: lex(text)?, pos: 0, loc: (0, 0), module: RawModule::default() };
    while parser.pos < parser.toks.len() {
        parser.item()?;
    }
    if parser.module.version == (0, 0) {
        return Err(PtxError { line: 1, message: "`.version` is missing, so this is no PTX".into() });
    }
    Ok(parser.module)
}

impl<'a> Parser<'a> {
    fn line(&self) -> u32 {
        self.toks.get(self.pos).or(self.toks.last()).map_or(1, |t| t.line)
    }
    fn fail<T>(&self, message: impl Into<String>) -> Res<T> {
        Err(PtxError { line: self.line(), message: message.into() })
    }
    fn peek(&self) -> Option<Tok<'a>> {
        self.toks.get(self.pos).map(|t| t.tok)
    }
    fn next(&mut self) -> Res<Tok<'a>> {
        let Some(token) = self.toks.get(self.pos) else { return self.fail("text ends in the middle of a statement") };
        self.pos += 1;
        Ok(token.tok)
    }
    fn eat(&mut self, mark: u8) -> bool {
        let hit = self.peek() == Some(Tok::Mark(mark));
        self.pos += usize::from(hit);
        hit
    }
    fn eat_word(&mut self, word: &str) -> bool {
        let hit = self.peek() == Some(Tok::Word(word));
        self.pos += usize::from(hit);
        hit
    }
    fn expect(&mut self, mark: u8) -> Res<()> {
        if self.eat(mark) { Ok(()) } else { self.fail(format!("`{}` expected, found {}", mark as char, self.found())) }
    }
    fn found(&self) -> String {
        match self.peek() {
            Some(Tok::Word(w)) => format!("`{w}`"),
            Some(Tok::Text(t)) => format!("\"{t}\""),
            Some(Tok::Mark(m)) => format!("`{}`", m as char),
            None => "the end".into(),
        }
    }
    fn word(&mut self) -> Res<&'a str> {
        match self.peek() {
            Some(Tok::Word(w)) => {
                self.pos += 1;
                Ok(w)
            }
            _ => self.fail(format!("name expected, found {}", self.found())),
        }
    }
    fn int(&mut self) -> Res<i64> {
        let negative = self.eat(b'-');
        let text = self.word()?;
        match number::parse(text) {
            Some(number::Number::Int(v)) => Ok(if negative { (v as i64).wrapping_neg() } else { v as i64 }),
            _ => self.fail(format!("integer expected, found `{text}`")),
        }
    }
    /// Directives such as `.loc` end with their line.
    fn skip_line(&mut self, line: u32) {
        while self.toks.get(self.pos).is_some_and(|t| t.line == line) {
            self.pos += 1;
        }
    }
    fn skip_braces(&mut self) -> Res<()> {
        let mut depth = 0;
        loop {
            match self.next()? {
                Tok::Mark(b'{') => depth += 1,
                Tok::Mark(b'}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }
    fn skip_statement(&mut self) -> Res<()> {
        while self.next()? != Tok::Mark(b';') {}
        Ok(())
    }

    fn item(&mut self) -> Res<()> {
        let line = self.line();
        match self.word()? {
            ".version" => {
                let text = self.word()?;
                let parts: Vec<u32> = text.split('.').filter_map(|p| p.parse().ok()).collect();
                let [major, minor] = parts[..] else { return self.fail(format!("version `{text}` is not of the form 8.0")) };
                self.module.version = (major, minor);
            }
            ".target" => {
                self.module.target = self.word()?;
                self.skip_line(line);
            }
            ".address_size" => {
                if self.int()? != 64 {
                    return self.fail("only 64-bit addresses are supported");
                }
            }
            ".file" => self.file(line)?,
            ".loc" => self.read_loc(line)?,
            ".section" => {
                self.word()?;
                self.skip_braces()?;
            }
            ".pragma" | ".alias" => self.skip_statement()?,
            ".extern" | ".visible" | ".weak" | ".common" => {}
            ".entry" => self.function(true, line)?,
            ".func" => self.function(false, line)?,
            word @ (".global" | ".const" | ".shared") => {
                let space = space_of(word).unwrap_or(VarSpace::Global);
                let vars = self.variables(space)?;
                self.module.vars.extend(vars);
            }
            other => return self.fail(format!("directive `{other}` is not known")),
        }
        Ok(())
    }

    fn file(&mut self, line: u32) -> Res<()> {
        let index = self.int()? as u32;
        if let Tok::Text(name) = self.next()? {
            self.module.files.push((index, name));
        }
        self.skip_line(line);
        Ok(())
    }

    /// With `inlined_at`, the line of the inlined text is kept: that is where the access stands.
    fn read_loc(&mut self, line: u32) -> Res<()> {
        self.loc = (self.int()? as u16, self.int()? as u32);
        self.skip_line(line);
        Ok(())
    }

    fn function(&mut self, entry: bool, line: u32) -> Res<()> {
        self.loc = (0, 0);
        let returns = if self.peek() == Some(Tok::Mark(b'(')) { self.params()? } else { Vec::new() };
        let name = self.word()?;
        let params = if self.peek() == Some(Tok::Mark(b'(')) { self.params()? } else { Vec::new() };
        let max_threads = self.function_directives()?;
        let body = if self.eat(b';') { None } else { Some(self.body()?) };
        self.module.functions.push(RawFunction { name, entry, params, returns, max_threads, body, line });
        Ok(())
    }

    fn function_directives(&mut self) -> Res<Option<u32>> {
        let mut threads = None;
        loop {
            match self.peek() {
                Some(Tok::Word(".maxntid" | ".reqntid")) => {
                    self.pos += 1;
                    let mut product = self.int()? as u32;
                    while self.eat(b',') {
                        product *= self.int()? as u32;
                    }
                    threads = Some(product);
                }
                Some(Tok::Word(".minnctapersm" | ".maxnctapersm" | ".maxnreg" | ".maxclusterrank")) => {
                    self.pos += 1;
                    self.int()?;
                }
                Some(Tok::Word(
                    ".reqnctapercluster" | ".blocksareclusters" | ".explicitcluster" | ".noreturn" | ".abi_preserve",
                )) => {
                    return self.fail(format!("{} is not supported", self.found()));
                }
                Some(Tok::Word(".pragma")) => self.skip_statement()?,
                _ => return Ok(threads),
            }
        }
    }

    fn params(&mut self) -> Res<Vec<Var<'a>>> {
        self.expect(b'(')?;
        let mut out = Vec::new();
        while !self.eat(b')') {
            let word = self.word()?;
            if word != ".param" {
                return self.fail(format!("parameter in `{word}` is not supported"));
            }
            out.push(self.variable(VarSpace::Param)?);
            self.eat(b',');
        }
        Ok(out)
    }

    /// `name [, name] ;` after the space.
    fn variables(&mut self, space: VarSpace) -> Res<Vec<Var<'a>>> {
        let first = self.variable(space)?;
        let (elem, align, lanes) = (first.elem, first.align, 1);
        let mut out = vec![first];
        while self.eat(b',') {
            let var = self.declarator(space, elem, align, lanes)?;
            out.push(var);
        }
        self.expect(b';')?;
        Ok(out)
    }

    fn variable(&mut self, space: VarSpace) -> Res<Var<'a>> {
        let (mut align, mut lanes, mut elem) = (None, 1u64, None);
        // `.ptr .align n` speaks of what a pointer points to, not of the pointer.
        let mut pointee = false;
        while let Some(Tok::Word(word)) = self.peek() {
            if !word.starts_with('.') {
                break;
            }
            self.pos += 1;
            match word {
                ".align" => {
                    let n = self.int()? as u32;
                    align = if pointee { align } else { Some(n) };
                }
                ".ptr" => pointee = true,
                ".v2" => lanes = 2,
                ".v4" => lanes = 4,
                ".global" | ".shared" | ".const" | ".local" => {}
                ".attribute" => while self.next()? != Tok::Mark(b')') {},
                _ => match Ty::parse(&word[1..]) {
                    Some(ty) => elem = Some(ty),
                    None => return self.fail(format!("`{word}` is no type of a variable")),
                },
            }
        }
        let Some(elem) = elem else { return self.fail("variable without type") };
        let align = align.unwrap_or(elem.bytes() * lanes as u32);
        self.declarator(space, elem, align, lanes)
    }

    fn declarator(&mut self, space: VarSpace, elem: Ty, align: u32, lanes: u64) -> Res<Var<'a>> {
        let name = self.word()?;
        let mut size = Some(u64::from(elem.bytes()) * lanes);
        while self.eat(b'[') {
            if self.eat(b']') {
                size = None;
            } else {
                let n = self.int()? as u64;
                size = size.map(|s| s * n);
                self.expect(b']')?;
            }
        }
        let mut init = Vec::new();
        if self.eat(b'=') {
            self.initial(elem, &mut init)?;
            size = size.or(Some(init.len() as u64 * u64::from(elem.bytes())));
        }
        Ok(Var { name, space, align: align.max(1), size, elem, init })
    }

    fn initial(&mut self, elem: Ty, out: &mut Vec<Init<'a>>) -> Res<()> {
        if self.eat(b'{') {
            while !self.eat(b'}') {
                self.initial(elem, out)?;
                self.eat(b',');
            }
            return Ok(());
        }
        let negative = self.eat(b'-');
        let word = self.word()?;
        if let Some(value) = number::parse(word) {
            out.push(Init::Bits(value.bits(elem, negative)));
            return Ok(());
        }
        let name = if word == "generic" {
            self.expect(b'(')?;
            let name = self.word()?;
            self.expect(b')')?;
            name
        } else {
            word
        };
        let offset = self.signed_offset()?;
        out.push(Init::Address(name, offset));
        Ok(())
    }

    fn signed_offset(&mut self) -> Res<i64> {
        if self.eat(b'+') || self.peek() == Some(Tok::Mark(b'-')) { self.int() } else { Ok(0) }
    }

    fn body(&mut self) -> Res<Vec<Stmt<'a>>> {
        self.expect(b'{')?;
        let (mut out, mut depth) = (Vec::new(), 1);
        while depth > 0 {
            if self.eat(b'{') {
                depth += 1;
                out.push(Stmt::Open);
            } else if self.eat(b'}') {
                depth -= 1;
                out.push(Stmt::Close);
            } else if !self.eat(b';') {
                self.statement(&mut out)?;
            }
        }
        out.pop();
        Ok(out)
    }

    fn statement(&mut self, out: &mut Vec<Stmt<'a>>) -> Res<()> {
        let line = self.line();
        if self.eat(b'@') {
            let negated = self.eat(b'!');
            let guard = Some((self.word()?, negated));
            let opcode = self.word()?;
            out.push(Stmt::Inst(self.instruction(line, guard, opcode)?));
            return Ok(());
        }
        let word = self.word()?;
        match word {
            ".reg" => self.registers(line, out)?,
            ".loc" => self.read_loc(line)?,
            ".file" => self.file(line)?,
            ".pragma" => self.skip_statement()?,
            ".extern" | ".visible" | ".weak" => {}
            ".shared" | ".local" | ".param" | ".const" | ".global" => {
                let space = space_of(word).unwrap_or(VarSpace::Local);
                out.extend(self.variables(space)?.into_iter().map(Stmt::Var));
            }
            _ if self.eat(b':') => self.label(word, out)?,
            _ if word.starts_with('.') => return self.fail(format!("directive `{word}` is not known")),
            _ => out.push(Stmt::Inst(self.instruction(line, None, word)?)),
        }
        Ok(())
    }

    fn label(&mut self, name: &'a str, out: &mut Vec<Stmt<'a>>) -> Res<()> {
        if self.eat_word(".branchtargets") {
            let mut targets = vec![self.word()?];
            while self.eat(b',') {
                targets.push(self.word()?);
            }
            self.expect(b';')?;
            out.push(Stmt::Targets { name, targets });
        } else if matches!(self.peek(), Some(Tok::Word(".callprototype" | ".calltargets"))) {
            self.skip_statement()?;
        } else {
            out.push(Stmt::Label(name));
        }
        Ok(())
    }

    fn registers(&mut self, line: u32, out: &mut Vec<Stmt<'a>>) -> Res<()> {
        let mut word = self.word()?;
        if matches!(word, ".v2" | ".v4") {
            return self.fail("vector registers are not supported");
        }
        if word == ".align" {
            self.int()?;
            word = self.word()?;
        }
        let Some(ty) = Ty::parse(&word[1..]) else { return self.fail(format!("`{word}` is no type of a register")) };
        loop {
            let name = self.word()?;
            let mut count = None;
            if self.eat(b'<') {
                count = Some(self.int()? as u32);
                self.expect(b'>')?;
            }
            out.push(Stmt::Reg { ty, name, count, line });
            if !self.eat(b',') {
                break;
            }
        }
        self.expect(b';')
    }

    fn instruction(&mut self, line: u32, guard: Option<(&'a str, bool)>, opcode: &'a str) -> Res<RawInst<'a>> {
        let mut args = Vec::new();
        while !self.eat(b';') {
            args.push(self.arg()?);
            if !self.eat(b',') {
                self.expect(b';')?;
                break;
            }
        }
        Ok(RawInst { line, loc: self.loc, guard, opcode, args })
    }

    fn arg(&mut self) -> Res<Arg<'a>> {
        if self.eat(b'[') {
            return self.memory();
        }
        if self.eat(b'{') {
            return Ok(Arg::Vector(self.list(b'}')?));
        }
        if self.eat(b'(') {
            return Ok(Arg::Group(self.list(b')')?));
        }
        if self.eat(b'!') {
            return Ok(Arg::Not(self.word()?));
        }
        let negative = self.eat(b'-');
        let text = self.word()?;
        if self.eat(b'|') {
            return Ok(Arg::Pair(text, self.word()?));
        }
        let offset = self.signed_offset()?;
        Ok(Arg::Name { text, negative, offset })
    }

    fn list(&mut self, end: u8) -> Res<Vec<Arg<'a>>> {
        let mut out = Vec::new();
        while !self.eat(end) {
            out.push(self.arg()?);
            self.eat(b',');
        }
        Ok(out)
    }

    fn memory(&mut self) -> Res<Arg<'a>> {
        let negative = self.eat(b'-');
        let text = self.word()?;
        let arg = match number::parse(text) {
            Some(value) => Arg::Memory { base: None, offset: value.bits(Ty::B64, negative) as i64 },
            None => Arg::Memory { base: Some(text), offset: self.signed_offset()? },
        };
        if !self.eat(b']') {
            return self.fail(format!("address with {} is not supported", self.found()));
        }
        Ok(arg)
    }
}

fn space_of(word: &str) -> Option<VarSpace> {
    Some(match word {
        ".global" => VarSpace::Global,
        ".const" => VarSpace::Const,
        ".shared" => VarSpace::Shared,
        ".local" => VarSpace::Local,
        ".param" => VarSpace::Param,
        _ => return None,
    })
}
