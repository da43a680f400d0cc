//! The paths that a file's code names.

use proc_macro2::{TokenStream, TokenTree, token_stream};
use std::iter::Peekable;

/// One path, and the name it has in this file (`*`: every name of it).
#[derive(Debug)]
pub struct Named {
    pub path: Vec<String>,
    pub name: String,
    /// True if a `use` names it.
    pub used: bool,
}

/// Whether parts under `#[cfg(test)]` count.
#[derive(Clone, Copy, PartialEq)]
pub enum Tests {
    Skipped,
    Included,
}

type Tokens = Peekable<token_stream::IntoIter>;

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("the file is Rust")
}

/// Lists the paths that begin with `crate`, `self` or `super`, and every `use`.
pub fn named(text: &str, tests: Tests) -> Vec<Named> {
    let mut found = Vec::new();
    walk(tokens(text), tests, &mut found);
    found
}

/// Lists the modules that are declared for tests only.
pub fn test_modules(text: &str) -> Vec<String> {
    let mut tokens = tokens(text).into_iter().peekable();
    let mut found = Vec::new();
    while let Some(token) = tokens.next() {
        if is_for_tests(&token, &tokens) {
            let item = item(&mut tokens);
            if let Some(at) = item.iter().position(|word| word == "mod") {
                found.push(item[at + 1].clone());
            }
        }
    }
    found
}

fn walk(tokens: TokenStream, tests: Tests, found: &mut Vec<Named>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if tests == Tests::Skipped && is_for_tests(&token, &tokens) {
            item(&mut tokens);
            continue;
        }
        match token {
            TokenTree::Group(group) => walk(group.stream(), tests, found),
            TokenTree::Ident(word) if word == "use" => used(&mut tokens, &[], found),
            TokenTree::Ident(word) if word == "crate" || word == "self" || word == "super" => {
                found.push(qualified(&mut tokens, word.to_string()));
            }
            _ => {}
        }
    }
}

/// True if the attribute `#[cfg(test)]` begins with this token, or `#[cfg(all(test, …))]`.
fn is_for_tests(token: &TokenTree, rest: &Tokens) -> bool {
    let attribute = || rest.clone().next().map(|group| group.to_string());
    is(token, '#')
        && attribute().is_some_and(|text| {
            let text = text.replace(' ', "");
            text == "[cfg(test)]" || text.starts_with("[cfg(all(test,")
        })
}

/// Takes the item that follows: to its semicolon or its block.
fn item(tokens: &mut Tokens) -> Vec<String> {
    let mut words = Vec::new();
    for token in tokens.by_ref() {
        words.push(token.to_string());
        if is(&token, ';') || token.to_string().starts_with('{') {
            break;
        }
    }
    words
}

fn is(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

/// Takes `::` if it comes next.
fn separator(tokens: &mut Tokens) -> bool {
    let mut colon = || tokens.next_if(|token| is(token, ':')).is_some();
    colon() && colon()
}

/// Reads a path in an expression or a type.
fn qualified(tokens: &mut Tokens, first: String) -> Named {
    let mut path = vec![first];
    while separator(tokens) {
        match tokens.next_if(|token| matches!(token, TokenTree::Ident(_))) {
            Some(word) => path.push(word.to_string()),
            None => break,
        }
    }
    let name = path.last().cloned().unwrap_or_default();
    Named {
        path,
        name,
        used: false,
    }
}

/// Reads the tree of a `use`, below the path that stands before it.
fn used(tokens: &mut Tokens, before: &[String], found: &mut Vec<Named>) {
    let mut path = before.to_vec();
    let mut name = String::from("*");
    match tokens.next() {
        Some(TokenTree::Group(group)) => {
            let mut branches = group.stream().into_iter().peekable();
            while branches.peek().is_some() {
                used(&mut branches, before, found);
                branches.next_if(|token| is(token, ','));
            }
            return;
        }
        Some(TokenTree::Ident(word)) => {
            if word != "self" || before.is_empty() {
                path.push(word.to_string());
            }
            if separator(tokens) {
                return used(tokens, &path, found);
            }
            let renamed = tokens.next_if(|token| token.to_string() == "as");
            let other = renamed.and_then(|_| tokens.next());
            name = other.map_or_else(|| path[path.len() - 1].clone(), |other| other.to_string());
        }
        Some(token) if is(&token, '*') => {}
        _ => return,
    }
    found.push(Named {
        path,
        name,
        used: true,
    });
}
