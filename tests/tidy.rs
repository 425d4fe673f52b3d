//! House rules as tests. Each reads the source tree, says what breaks the rule and where, and is itself tested on a
//! planted violation.
//!
//! A rule that the house outgrows is changed here, in the table it reads from, together with the page that states it.

use std::fs;
use std::path::Path;

/// Which modules a module may use, besides itself. `*` is all. A module that is not listed fails.
const MAY_USE: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("codec", &["base"]),
    ("wire", &["base", "codec"]),
    ("record", &["base", "codec"]),
    ("log", &["base", "record"]),
    ("settings", &["base"]),
    ("meta", &["base", "codec", "record", "log", "settings"]),
    ("topics", &["base", "record", "log", "settings", "meta"]),
    ("security", &["base", "meta"]),
    ("quota", &["base", "meta"]),
    ("coordinator", &["base", "codec", "record", "settings", "meta", "topics"]),
    (
        "api",
        &["base", "wire", "record", "log", "settings", "meta", "topics", "security", "quota", "coordinator", "observe"],
    ),
    ("server", &["base", "wire", "security", "quota", "api"]),
    ("jobs", &["base", "settings", "meta", "topics", "coordinator"]),
    ("observe", &["base"]),
    ("config", &["*"]),
    ("daemon", &["*"]),
    ("main", &["*"]),
    ("lib", &["*"]),
];

/// Modules that only these may use.
const USED_BY: &[(&str, &[&str])] = &[("config", &["daemon", "main"]), ("daemon", &["main"])];

/// Where a third-party crate may be named: prefixes of paths below `src/`. An empty prefix is everywhere. A crate of
/// `Cargo.toml` that is not listed fails.
const HOMES: &[(&str, &[&str])] = &[
    ("arc_swap", &[""]),
    ("bytes", &[""]),
    ("clap", &["config/", "main.rs"]),
    ("crc32c", &[""]),
    ("flate2", &["record/compression"]),
    ("getrandom", &["base/random.rs"]),
    ("lz4", &["record/compression"]),
    ("memmap2", &["log/mapped.rs"]),
    ("regex", &["coordinator/group/consumer/regex.rs"]),
    ("parking_lot", &[""]),
    ("rustix", &["base/disk.rs", "base/disk/", "server/respond.rs", "api/heavy.rs"]),
    ("serde", &["config/", "main.rs"]),
    ("snap", &["record/compression"]),
    ("socket2", &["server/respond.rs"]),
    ("thiserror", &[""]),
    ("tokio", &["topics/", "coordinator/shell.rs", "api/", "server/", "jobs/", "observe/", "daemon.rs", "main.rs"]),
    ("toml", &["config/", "main.rs"]),
    ("tracing", &[""]),
    ("tracing_subscriber", &["observe/", "main.rs"]),
    ("zstd", &["record/compression"]),
];

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "type", "types", "manager", "managers", "misc"];

/// Hosts that a URL in the project may name; their subdomains too.
const HOSTS: &[&str] = &[
    "apache.org",
    "github.com",
    "githubusercontent.com",
    "rust-lang.org",
    "docs.rs",
    "crates.io",
    "rfc-editor.org",
    "ietf.org",
    "iana.org",
    "prometheus.io",
    "toml.io",
    "debian.org",
    "docker.com",
    "json-schema.org",
    "example.com",
    "example.org",
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "[::1]",
];

/// Text that would tie the project to the machine it was written on.
const FOREIGN: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("../sha", "red"),
    concat!("/ro", "ot/"),
    concat!("bash_", "jobs"),
    concat!(".lib", "rary/"),
    concat!("issues ", "show"),
    concat!("COMM", "ON.md"),
];

/// A text file of the project; `path` is relative to its root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The path below `src/` of a file that is part of the product; `None` for the rest and for files of tests.
    fn in_src(&self) -> Option<&str> {
        let path = self.path.strip_prefix("src/").filter(|_| self.is_rust())?;
        let of_tests = path.ends_with("/tests.rs") || path.contains("/tests/");
        (!of_tests).then_some(path)
    }

    /// The top module that a file below `src/` belongs to.
    fn module(&self) -> Option<&str> {
        self.in_src().map(|path| path.split('/').next().unwrap_or(path).trim_end_matches(".rs"))
    }

    /// Code without comments, without the insides of literals, without the trailing tests.
    fn product_code(&self) -> String {
        without_tests(&code_of(&self.text)).to_owned()
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text with comments and the insides of literals blanked; lines stay where they are.
fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = blank_end(&chars, at);
        match end {
            Some(end) => {
                out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
                at = end;
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

/// If a comment or literal begins at `at`, where it ends.
fn blank_end(chars: &[char], at: usize) -> Option<usize> {
    let next = |offset: usize| chars.get(at + offset).copied();
    match (chars[at], next(1)) {
        ('/', Some('/')) => Some(line_end(chars, at)),
        ('/', Some('*')) => Some(block_comment_end(chars, at)),
        ('"', _) => Some(string_end(chars, at + 1)),
        ('r', Some('"' | '#')) if at == 0 || !is_word(chars[at - 1]) || chars[at - 1] == 'b' => {
            raw_string_end(chars, at)
        }
        ('\'', Some('\\')) => chars[at + 3..].iter().position(|c| *c == '\'').map(|end| at + 3 + end + 1),
        ('\'', Some(_)) if next(2) == Some('\'') => Some(at + 3),
        _ => None,
    }
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |end| at + end)
}

fn block_comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') if depth == 1 => return at + 2,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    chars.len()
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes =
        |end: usize| chars[end] == '"' && chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    Some((open + 1..chars.len()).find(|end| closes(*end)).map_or(chars.len(), |end| end + 1 + hashes))
}

/// Cuts off a `#[cfg(test)] mod ... {` that ends a file.
fn without_tests(code: &str) -> &str {
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let at = from + found;
        let rest = code[at + "#[cfg(test)]".len()..].trim_start();
        if rest.starts_with("mod ") && rest.find('{').is_some_and(|open| rest.find(';').is_none_or(|end| open < end)) {
            return &code[..at];
        }
        from = at + 1;
    }
    code
}

/// Places where `word` stands alone.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The first names that follow `crate::` or `klamm::` at `rest`: one, or those of a group.
fn heads(rest: &str) -> Vec<String> {
    let word = |text: &str| text.trim_start().chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let (mut depth, mut names, mut start) = (0, vec![word(group)], true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if start && is_word(c) => {
                names.push(word(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

/// Macros that stand at the crate's root, each with the module that has them.
fn exported_macros(tree: &[Source]) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    for (source, module) in tree.iter().filter_map(|source| source.module().map(|module| (source, module))) {
        for (at, mark) in source.text.match_indices("#[macro_export]") {
            let rest = &source.text[at + mark.len()..];
            let name = rest.split("macro_rules!").nth(1).unwrap_or_default().trim_start();
            found.push((name.chars().take_while(|c| is_word(*c)).collect(), module));
        }
    }
    found
}

fn imports_follow_the_table(tree: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    let macros = exported_macros(tree);
    for source in tree {
        let Some(module) = source.module() else { continue };
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            faults.push(format!("{}: module `{module}` is not in MAY_USE", source.path));
            continue;
        };
        let code = source.product_code();
        let root = if module == "main" { "klamm" } else { "crate" };
        for at in words(&code, root) {
            let Some(rest) = code[at + root.len()..].strip_prefix("::") else { continue };
            let heads = heads(rest);
            let owners = heads.iter().map(|head| {
                let exported = macros.iter().find(|(name, _)| name == head);
                exported.map_or(head.as_str(), |(_, owner)| owner)
            });
            for used in owners.filter(|used| *used != module) {
                let known = MAY_USE.iter().any(|(name, _)| *name == used);
                let may = known && (allowed.contains(&"*") || allowed.contains(&used));
                let taken = USED_BY.iter().find(|(name, _)| *name == used);
                if !may || taken.is_some_and(|(_, by)| !by.contains(&module)) {
                    faults.push(format!("{}:{}: {module} may not use {used}", source.path, line_of(&code, at)));
                }
            }
        }
        let depth = source.path.matches('/').count() - usize::from(source.path.ends_with("/mod.rs"));
        let chain = "super::".repeat(depth.max(1));
        if let Some(at) = code.find(&chain) {
            faults.push(format!("{}:{}: `super` reaches the root; say `crate::`", source.path, line_of(&code, at)));
        }
    }
    faults
}

/// Names of the crates in a section of `Cargo.toml`, as code says them.
fn crates_of(manifest: &str, section: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| line.trim() != section).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim().replace('-', "_")).collect()
}

fn crates_stay_at_home(tree: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for manifest in tree.iter().filter(|source| source.path == "Cargo.toml") {
        for name in crates_of(&manifest.text, "[dependencies]") {
            if !HOMES.iter().any(|(known, _)| *known == name) {
                faults.push(format!("Cargo.toml: crate `{name}` has no home in HOMES"));
            }
        }
    }
    for source in tree {
        let Some(path) = source.in_src() else { continue };
        let code = source.product_code();
        for (name, homes) in HOMES {
            let here = homes.iter().any(|home| path.starts_with(home));
            let named = words(&code, name).find(|at| {
                let own_path = code[..*at].ends_with("::") && !code[..*at].trim_end_matches("::").ends_with(' ');
                let rest = &code[at + name.len()..];
                let used = code[..*at].ends_with("use ") && rest.starts_with([';', ' ']);
                (rest.starts_with("::") || used) && !own_path
            });
            if let (false, Some(at)) = (here, named) {
                faults.push(format!("{}:{}: `{name}` has its home in {homes:?}", source.path, line_of(&code, at)));
            }
        }
    }
    faults
}

fn files_are_short(tree: &[Source]) -> Vec<String> {
    let long = |source: &&Source| source.is_rust() && without_tests(&source.text).lines().count() > FILE_LINES_MAX;
    let fault = |source: &Source| {
        let count = without_tests(&source.text).lines().count();
        format!("{}: {count} lines without tests, {FILE_LINES_MAX} allowed", source.path)
    };
    tree.iter().filter(long).map(fault).collect()
}

/// Functions of a file: line of `fn`, name, count of lines to the closing brace.
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for at in words(code, "fn") {
        let name: String = code[at + 2..].trim_start().chars().take_while(|c| is_word(*c)).collect();
        let (mut nested, mut braces, mut end) = (0, 0, None);
        for (offset, c) in code[at..].char_indices() {
            match c {
                '(' | '[' if braces == 0 => nested += 1,
                ')' | ']' if braces == 0 => nested -= 1,
                ';' if braces == 0 && nested == 0 => break,
                '{' => braces += 1,
                '}' => braces -= 1,
                _ => {}
            }
            if c == '}' && braces == 0 && nested == 0 {
                end = Some(at + offset);
            }
            if end.is_some() || braces < 0 || nested < 0 {
                break;
            }
        }
        if let (Some(end), false) = (end, name.is_empty()) {
            found.push((line_of(code, at), name, code[at..end].matches('\n').count() + 1));
        }
    }
    found
}

fn functions_are_short(tree: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in tree.iter().filter(|source| source.is_rust()) {
        for (line, name, lines) in functions(&code_of(&source.text)) {
            if lines > FUNCTION_LINES_MAX {
                faults
                    .push(format!("{}:{line}: fn {name} has {lines} lines, {FUNCTION_LINES_MAX} allowed", source.path));
            }
        }
    }
    faults
}

fn names_say_something(tree: &[Source]) -> Vec<String> {
    let empty = |part: &str| EMPTY_NAMES.contains(&part.trim_end_matches(".rs"));
    let bad = |source: &&Source| source.is_rust() && source.path.split('/').any(empty);
    tree.iter().filter(bad).map(|source| format!("{}: a name that says nothing", source.path)).collect()
}

fn files_open_with_their_purpose(tree: &[Source]) -> Vec<String> {
    let opens = |source: &Source| {
        source.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().starts_with("//!")
    };
    let bad = |source: &&Source| source.is_rust() && !opens(source);
    tree.iter().filter(bad).map(|source| format!("{}: does not open with `//!`", source.path)).collect()
}

/// In `src/` one file may hold `unsafe`; in tests and benches (an allocator that counts) it needs its reason too.
fn unsafe_has_one_home_and_a_reason(tree: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in tree.iter().filter(|source| source.is_rust()) {
        let code = code_of(&source.text);
        let lines: Vec<&str> = source.text.lines().collect();
        for at in words(&code, "unsafe") {
            let line = line_of(&code, at);
            if source.path.starts_with("src/") && source.path != "src/log/mapped.rs" {
                faults.push(format!("{}:{line}: `unsafe` outside src/log/mapped.rs", source.path));
            }
            if !lines[line.saturating_sub(6)..line].iter().any(|above| above.contains("SAFETY: ")) {
                faults.push(format!("{}:{line}: `unsafe` without a SAFETY comment above", source.path));
            }
        }
    }
    faults
}

/// Finds words in product code outside their homes.
fn words_outside(tree: &[Source], wanted: &[&str], homes: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in tree {
        let Some(path) = source.in_src() else { continue };
        if homes.iter().any(|home| path.starts_with(home)) {
            continue;
        }
        let code = source.product_code();
        for word in wanted {
            let lines = words(&code, word).map(|at| line_of(&code, at));
            faults.extend(lines.map(|line| format!("{}:{line}: `{word}` has its home in {homes:?}", source.path)));
        }
    }
    faults
}

/// The table, ApiVersions, and what encodes an answer in the version it was asked in.
fn handlers_compare_no_versions(tree: &[Source]) -> Vec<String> {
    let table = ["src/api/mod.rs", "src/api/api_versions.rs", "src/api/outcome.rs"];
    let api: Vec<Source> = tree
        .iter()
        .filter(|source| source.path.starts_with("src/api/") && !table.contains(&source.path.as_str()))
        .map(|source| Source::new(&source.path, &source.text))
        .collect();
    words_outside(&api, &["version"], &["(the table and ApiVersions)"])
}

/// Where tokio lives its own instants are deadlines of its timers; they are never written down.
fn time_comes_from_the_clock(tree: &[Source]) -> Vec<String> {
    let (_, runtime) = HOMES.iter().find(|(name, _)| *name == "tokio").expect("tokio has homes");
    let clocks: Vec<&str> = runtime.iter().copied().chain(["base/clock.rs"]).collect();
    let mut faults = words_outside(tree, &["SystemTime"], &["base/clock.rs"]);
    faults.extend(words_outside(tree, &["Instant"], &clocks));
    for source in tree.iter().filter(|source| source.in_src().is_some_and(|path| path != "base/clock.rs")) {
        let code = source.product_code();
        let lines = words(&code, "std::time").filter(|at| names_instant(&code[*at..])).map(|at| line_of(&code, at));
        faults.extend(lines.map(|line| format!("{}:{line}: std's `Instant` outside base/clock.rs", source.path)));
    }
    faults
}

/// True if a path or import that begins here names `Instant`.
fn names_instant(code: &str) -> bool {
    let end = code.find(|c: char| !(is_word(c) || ":{}, ".contains(c))).unwrap_or(code.len());
    words(&code[..end], "Instant").next().is_some()
}

/// `&std::fs::File` is a type that a disk hands out, not a way to open one.
fn files_go_through_the_disk(tree: &[Source]) -> Vec<String> {
    let without_type = |source: &Source| Source::new(&source.path, &source.text.replace("&std::fs::File", "&File"));
    let tree: Vec<Source> = tree.iter().map(without_type).collect();
    words_outside(&tree, &["std::fs", "tokio::fs", "fs::File"], &["base/disk.rs", "base/disk/", "config/"])
}

/// Rows of the `apis!` table: name and module of the handler.
fn rows(table: &str) -> Vec<(String, String)> {
    let text: String = table.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n");
    let Some(start) = text.find("\napis!") else { return vec![] };
    let row = |row: &str| {
        let name = row.split('"').nth(1)?.to_owned();
        let handler = row.split_whitespace().last()?.split("::").next()?.to_owned();
        Some((name, handler))
    };
    let body = text[start..].split_once('{').map_or("", |(_, body)| body);
    body.split_once("\n}").map_or(body, |(body, _)| body).split(';').filter_map(row).collect()
}

fn every_api_has_its_files(tree: &[Source]) -> Vec<String> {
    let Some(table) = tree.iter().find(|source| source.path == "src/api/mod.rs") else {
        return vec!["src/api/mod.rs: no such file".to_owned()];
    };
    let rows = rows(&table.text);
    let mut faults = Vec::new();
    if rows.is_empty() && tree.iter().any(|source| source.path == "src/api/produce.rs") {
        faults.push("src/api/mod.rs: no row of `apis!` understood".to_owned());
    }
    for (name, handler) in rows {
        let wanted = [
            format!("src/api/{handler}.rs"),
            format!("src/wire/messages/{handler}.rs"),
            format!("tests/broker/{handler}.rs"),
        ];
        for path in wanted {
            if !tree.iter().any(|source| source.path == path) {
                faults.push(format!("{name}: {path} is missing"));
            }
        }
    }
    faults
}

fn the_project_stands_alone(tree: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in tree {
        for (number, line) in source.text.lines().enumerate() {
            let at = format!("{}:{}", source.path, number + 1);
            for word in FOREIGN.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{at}: names `{word}`"));
            }
            faults.extend(foreign_hosts(line).map(|host| format!("{at}: names the host `{host}`")));
        }
    }
    faults
}

/// Hosts of URLs in a line that are not in `HOSTS`. A placeholder is no host.
fn foreign_hosts(line: &str) -> impl Iterator<Item = &str> {
    let urls = line.split("://").zip(line.split("://").skip(1));
    let urls = urls.filter(|(before, _)| before.ends_with("http") || before.ends_with("https"));
    let hosts = urls.map(|(_, url)| {
        let end = url.find(|c: char| !(c.is_alphanumeric() || "-._:[]".contains(c))).unwrap_or(url.len());
        let host = &url[..end];
        host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(host, _)| host)
    });
    let known = |host: &str| HOSTS.iter().any(|known| host == *known || host.ends_with(&format!(".{known}")));
    hosts.filter(move |host| host.contains(['.', '[']) && !known(host.trim_end_matches('.')))
}

/// All text files of the project, without what is built, cached or locked.
fn tree() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("list a folder of the project") {
            let path = entry.expect("read a folder entry").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let skipped = ["target", "klamm-data", "Cargo.lock", "__pycache__", "node_modules", "corpus"];
            if skipped.contains(&name.as_str()) || (name.starts_with('.') && name != ".ci") {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.iter().any(|source| source.path == "src/lib.rs"), "the tree is there");
    found
}

type Rule = fn(&[Source]) -> Vec<String>;

fn check(rule: Rule) {
    let faults = rule(&tree());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// `good` passes; `bad` is found, with `told` in what is said.
fn check_rule(rule: Rule, good: &[(&str, &str)], bad: (&str, &str), told: &str) {
    let sources = |files: &[(&str, &str)]| files.iter().map(|(path, text)| Source::new(path, text)).collect::<Vec<_>>();
    assert_eq!(rule(&sources(good)), [""; 0], "the good tree passes");
    let faults = rule(&sources(&[good, &[bad]].concat()));
    assert!(faults.iter().any(|fault| fault.contains(told)), "planted: {bad:?}\nsaid: {faults:?}");
}

macro_rules! rules {
    ($($rule:ident)*) => {
        $(
            mod $rule {
                #[test]
                fn holds() {
                    super::check(super::$rule);
                }
            }
        )*
    };
}

rules! {
    imports_follow_the_table
    crates_stay_at_home
    files_are_short
    functions_are_short
    names_say_something
    files_open_with_their_purpose
    unsafe_has_one_home_and_a_reason
    handlers_compare_no_versions
    time_comes_from_the_clock
    files_go_through_the_disk
    every_api_has_its_files
    the_project_stands_alone
}

mod a_planted_violation_is_found {
    use super::*;

    #[test]
    fn of_the_import_table() {
        let good = [
            ("src/wire/frame.rs", "use crate::base::{ids, disk::Open};\nuse crate::wire::header;\n// crate::api\n"),
            ("src/base/x.rs", "fn f() { g(\"crate::api\") }\n#[cfg(test)]\nmod tests {\n use crate::api::x;\n}\n"),
            ("src/wire/mod.rs", "crate::message! {}\npub(crate) fn f() {}"),
            ("src/codec/declare.rs", "#[macro_export]\nmacro_rules! message { () => {}; }"),
            ("src/main.rs", "use klamm::{config, daemon};"),
        ];
        let check = |bad, told| check_rule(imports_follow_the_table, &good, bad, told);
        check(("src/log/append.rs", "use crate::codec::Reader;"), "log may not use codec");
        check(
            ("src/wire/a.rs", "\nuse crate::{base::ids::{A, B}, log::Log};"),
            "src/wire/a.rs:2: wire may not use log",
        );
        check(("src/wire/a.rs", "fn f(log: &crate::log::Log) {}"), "wire may not use log");
        check(("src/api/a.rs", "use crate::config::Config;"), "api may not use config");
        check(("src/stuff/a.rs", ""), "module `stuff` is not in MAY_USE");
        check(("src/wire/b.rs", "use super::super::log::Log;"), "`super` reaches the root");
        check(("src/log/b.rs", "use crate::message;"), "log may not use codec");
        check(("src/wire/b.rs", "use crate::Everything;"), "wire may not use Everything");
    }

    #[test]
    fn of_the_homes_of_crates() {
        let good = [
            (
                "Cargo.toml",
                "[package]\nx = 1\n[dependencies]\ntokio = \"1\"\narc-swap = \"1\"\n[dev-dependencies]\ny = 1\n",
            ),
            ("src/server/listener.rs", "use tokio::net::TcpListener;"),
            ("src/log/names.rs", "let toml = 3; // tokio::spawn\nself::snap::f();"),
        ];
        let check = |bad, told| check_rule(crates_stay_at_home, &good, bad, told);
        check(("src/log/read.rs", "tokio::spawn(f)"), "src/log/read.rs:1: `tokio` has its home");
        check(("src/meta/store.rs", "use rustix;"), "`rustix` has its home");
        check(("src/api/fetch.rs", "use ::memmap2::Mmap;"), "`memmap2` has its home");
        check(("Cargo.toml", "[dependencies]\nleft-pad = \"1\"\n"), "crate `left_pad` has no home");
    }

    #[test]
    fn of_the_lengths() {
        let tests = format!("\n#[cfg(test)]\nmod tests {{{}}}\n", "\n".repeat(900));
        let long = "\n".repeat(801);
        check_rule(files_are_short, &[("src/a.rs", &tests)], ("src/b.rs", &long), "src/b.rs: 801 lines");

        let function = |lines: usize| format!("fn f(a: [u8; 4]) {{\n{}}}\n", "g('{', \"}}\"); // }\n".repeat(lines));
        let (fits, long) = (function(68), format!("trait T {{ fn x(); }}\n{}", function(69)));
        check_rule(functions_are_short, &[("src/a.rs", &fits)], ("src/b.rs", &long), "src/b.rs:2: fn f has 71 lines");
    }

    #[test]
    fn of_names_and_openings() {
        let good = [("src/log/read.rs", "\n//! Reads.\n")];
        check_rule(names_say_something, &good, ("src/log/utils.rs", ""), "src/log/utils.rs");
        check_rule(names_say_something, &good, ("tests/common/mod.rs", ""), "tests/common/mod.rs");
        check_rule(files_open_with_their_purpose, &good, ("src/a.rs", "use std::io;\n//! Late."), "src/a.rs");
    }

    #[test]
    fn of_unsafe() {
        let reason = "// SAFETY: the file is sealed and never shortened.\nlet map = unsafe { map() };";
        let good = [("src/log/mapped.rs", reason), ("benches/a.rs", reason), ("src/a.rs", "// unsafe\n")];
        let check = |bad, told| check_rule(unsafe_has_one_home_and_a_reason, &good, bad, told);
        check(("src/log/read.rs", reason), "outside src/log/mapped.rs");
        check(("src/log/mapped.rs", "unsafe { map() }"), "without a SAFETY comment");
    }

    #[test]
    fn of_versions_time_and_files() {
        let good = [
            ("src/api/mod.rs", "let version = 3;"),
            ("src/api/produce.rs", "/// Since version 9.\nlet feature_version = 1;"),
            ("src/base/clock.rs", "use std::time::Instant;"),
            ("src/api/waits.rs", "use std::time::Duration;\nuse tokio::time::Instant;"),
            ("src/base/disk.rs", "use std::fs::File;"),
            ("src/log/tests.rs", "std::fs::remove_file(x); Instant::now();"),
        ];
        check_rule(handlers_compare_no_versions, &good, ("src/api/fetch.rs", "if version >= 9 {}"), "fetch.rs:1");
        check_rule(time_comes_from_the_clock, &good, ("src/log/roll.rs", "Instant::now()"), "src/log/roll.rs:1");
        let std_time = ("src/api/roll.rs", "use std::time::{Duration, Instant};");
        check_rule(time_comes_from_the_clock, &good, std_time, "src/api/roll.rs:1: std's");
        check_rule(files_go_through_the_disk, &good, ("src/log/roll.rs", "std::fs::read(x)"), "src/log/roll.rs:1");
    }

    #[test]
    fn of_the_api_table() {
        let table = "//! x\napis! {\n  // key name\n  0  \"Produce\"  3..=13  0..=13  After  produce::handle;\n  18 \"ApiVersions\" 0..=5 0..=5 Before api_versions::handle;\n}\nfn f() {}";
        let good = [
            ("src/api/produce.rs", ""),
            ("src/wire/messages/produce.rs", ""),
            ("tests/broker/produce.rs", ""),
            ("src/api/api_versions.rs", ""),
            ("src/wire/messages/api_versions.rs", ""),
            ("tests/broker/api_versions.rs", ""),
        ];
        let sources = |files: &[(&str, &str)]| {
            let mut tree = vec![Source::new("src/api/mod.rs", table)];
            tree.extend(files.iter().map(|(path, text)| Source::new(path, text)));
            tree
        };
        assert_eq!(every_api_has_its_files(&sources(&good)), [""; 0]);
        for missing in 0..good.len() {
            let rest: Vec<_> = good.iter().copied().filter(|file| *file != good[missing]).collect();
            let faults = every_api_has_its_files(&sources(&rest));
            assert!(faults.len() == 1 && faults[0].contains(good[missing].0), "{faults:?}");
        }
        let unreadable = [Source::new("src/api/mod.rs", ""), Source::new("src/api/produce.rs", "")];
        assert_eq!(every_api_has_its_files(&unreadable).len(), 1);
    }

    #[test]
    fn of_standing_alone() {
        let good = [("README.md", "https://kafka.apache.org/docs and http://localhost:9092/, http://{host}/metrics")];
        let path = format!("cat {}x/y", FOREIGN[0]);
        check_rule(the_project_stands_alone, &good, ("docs/A.md", &path), "docs/A.md:1: names");
        let url = format!("see {}://registry.internal.test:8080/x", "http");
        check_rule(the_project_stands_alone, &good, ("docs/A.md", &url), "names the host `registry.internal.test`");
    }

    #[test]
    fn in_code_and_not_in_comments_or_literals() {
        let text = "a /* b /* c */ d */ 'e' '\\'' \"f \\\" g\" r#\"h \" i\"# j<'k>(l) // m\nn";
        let code: String = code_of(text).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(code, "a j<'k>(l) n");
    }
}
