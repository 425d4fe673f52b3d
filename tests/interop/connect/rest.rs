//! The REST API of a Connect worker, asked by hand, and sessions of it as text.
//!
//!     ## PART                    what is asked at one time
//!     # a remark
//!     > METHOD PATH [BODY]       `{folder}` is the folder of the files
//!     < STATUS [BODY]            the answer, with what is of one run masked
//!
//! A request is made again until its answer is the expected one: workers take their time, and say so (409).

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::tests_folder;

const LIMIT: Duration = Duration::from_secs(90);

pub struct Step {
    part: String,
    remarks: Vec<String>,
    asked: String,
    answer: String,
}

pub fn path() -> PathBuf {
    tests_folder().join("interop/connect/answers.session")
}

/// All steps of the session.
pub fn read() -> Vec<Step> {
    let text = std::fs::read_to_string(path()).expect("read the session");
    let (mut steps, mut part, mut remarks) = (Vec::<Step>::new(), String::new(), Vec::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("##", name) => name.clone_into(&mut part),
            ("#", remark) => remarks.push(remark.to_owned()),
            (">", asked) => {
                let remarks = std::mem::take(&mut remarks);
                let (part, asked) = (part.clone(), asked.to_owned());
                steps.push(Step { part, remarks, asked, answer: String::new() });
            }
            ("<", answer) => answer.clone_into(&mut steps.last_mut().expect("a request before an answer").answer),
            _ => panic!("the session has a line that is none: {line}"),
        }
    }
    steps
}

/// Writes the session with the answers that it has.
pub fn write(steps: &[Step]) {
    let (mut text, mut part) = (String::new(), "");
    for step in steps {
        if step.part != part {
            part = &step.part;
            writeln!(text, "{}## {part}", if text.is_empty() { "" } else { "\n" }).expect("format");
        }
        step.remarks.iter().for_each(|remark| writeln!(text, "# {remark}").expect("format"));
        writeln!(text, "> {}\n< {}", step.asked, step.answer).expect("format");
    }
    std::fs::write(path(), text).expect("write the session");
}

/// What is of one run.
pub struct Masks {
    /// Texts, with what stands for them in the session.
    pub texts: Vec<(String, &'static str)>,
    /// A sink that has read so many records or more is at the `(end)`: some may have come twice.
    pub lines: usize,
}

/// Makes the requests of a part. With `bless` answers are taken as they come to rest; else the first that stays another is a panic.
pub fn play(steps: &mut [Step], part: &str, port: u16, masks: &Masks, bless: bool) {
    for step in steps.iter_mut().filter(|step| step.part == part) {
        let mut asked = step.asked.clone();
        masks.texts.iter().for_each(|(text, shown)| asked = asked.replace(shown, text));
        let (begun, mut since, mut last) = (Instant::now(), Instant::now(), String::new());
        loop {
            let got = masked(ask(port, &asked), masks);
            if got != last {
                (since, last) = (Instant::now(), got);
            }
            if bless && (since.elapsed() > Duration::from_secs(3) || !asked.starts_with("GET")) {
                step.answer = last;
                break;
            }
            if last == step.answer {
                break;
            }
            assert!(begun.elapsed() < LIMIT, "{part}: {}\nwanted {}\n   got {last}", step.asked, step.answer);
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// The answer to `METHOD PATH [BODY]`: status and body; no status while nobody answers.
pub fn ask(port: u16, asked: &str) -> (u16, Value) {
    let mut words = asked.splitn(3, ' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let body = words.next().unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let exchange = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<String, std::io::Error>(answer)
    };
    let answer = exchange().unwrap_or_default();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// An answer as a line, without what is of one run.
fn masked((status, mut body): (u16, Value), masks: &Masks) -> String {
    mask(&mut body, masks.lines);
    let mut line = format!("{status} {}", if body.is_null() { String::new() } else { body.to_string() });
    masks.texts.iter().for_each(|(text, shown)| line = line.replace(text, shown));
    line.trim_end().to_owned()
}

/// The order of a list of names says nothing.
fn mask(value: &mut Value, lines: usize) {
    match value {
        Value::Array(all) => {
            all.iter_mut().for_each(|one| mask(one, lines));
            if all.iter().all(Value::is_string) {
                all.sort_by_key(Value::to_string);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                match name.as_str() {
                    "kafka_cluster_id" => *field = Value::from("(cluster id)"),
                    "kafka_offset" if field.as_u64() >= u64::try_from(lines).ok() => *field = Value::from("(end)"),
                    _ => mask(field, lines),
                }
            }
        }
        _ => {}
    }
}
