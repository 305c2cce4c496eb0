//! The parts of a demangled function name, as far as they tell whose code it is. Names are text
//! that others wrote: one that follows no grammar is taken as it stands.

/// A demangled name without its return type, which C++ templates carry:
/// `std::string mail::join<int>(int)` is `mail::join<int>(int)`.
pub(super) fn qualified(function: &str) -> &str {
    if function.starts_with('<') {
        return function;
    }
    let head = match operator(function) {
        Some(at) => &function[..at],
        None => &function[..parameters(function).unwrap_or(function.len())],
    };
    let mut depth = 0_i32;
    let mut start = 0;
    for (at, symbol) in head.char_indices() {
        match symbol {
            '<' | '(' | '{' | '[' => depth += 1,
            '>' | ')' | '}' | ']' => depth -= 1,
            ' ' if depth == 0 => start = at + 1,
            _ => {}
        }
    }
    &function[start..]
}

/// Where the last `operator` begins, whose symbols look like brackets.
fn operator(function: &str) -> Option<usize> {
    const WORD: &str = "operator";
    let (at, _) = function.rmatch_indices(WORD).find(|(at, _)| {
        let before = function[..*at].chars().next_back();
        let after = function[at + WORD.len()..].chars().next();
        before.is_none_or(|c| matches!(c, ':' | ' ' | '*' | '&'))
            && after.is_some_and(|c| !c.is_alphanumeric() && c != '_')
    })?;
    Some(at)
}

/// Where the parameter list begins: the last bracket that is not inside others.
fn parameters(function: &str) -> Option<usize> {
    let mut depth = 0_i32;
    let mut last = None;
    for (at, symbol) in function.char_indices() {
        match symbol {
            '(' if depth == 0 => {
                last = Some(at);
                depth = 1;
            }
            '<' | '(' | '{' | '[' => depth += 1,
            '>' | ')' | '}' | ']' => depth -= 1,
            _ => {}
        }
    }
    last
}

/// Where the bracket that was just opened closes.
pub(super) fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    let mut before = ' ';
    for (at, symbol) in text.char_indices() {
        match symbol {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
        before = symbol;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_return_type_is_left_out() {
        for (function, expected) in [
            ("malloc", "malloc"),
            ("operator new(unsigned long)", "operator new(unsigned long)"),
            ("std::string mail::join<int>(int, int)", "mail::join<int>(int, int)"),
            ("std::map<int, char> (anonymous namespace)::f()", "(anonymous namespace)::f()"),
            ("bool mail::operator<(A const&, B const&)", "mail::operator<(A const&, B const&)"),
            (
                "mail::Server::receive(std::string) const",
                "mail::Server::receive(std::string) const",
            ),
            ("<a::B as c::D>::e", "<a::B as c::D>::e"),
            ("", ""),
            (")>(", ")>("),
        ] {
            assert_eq!(qualified(function), expected);
        }
    }
}
