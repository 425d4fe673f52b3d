//! Kafka's command line tools in one Java (`Tools.java`), which is told a command and tells what it printed.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::clients::Java;
use crate::support::process::run;
use crate::support::tests_folder;

/// This one ends in a way that only the end of its Java shows.
const ALONE: &str = "org.apache.kafka.tools.VerifiableProducer";
/// It did not end; nor does what it left in Java, which is started anew.
const GIVEN_UP: u32 = 124;
const LIMIT: Duration = Duration::from_secs(60);

/// The running program; it ends when this is dropped or the tests end.
pub struct Tools {
    java: Java,
    process: Child,
}

/// What a tool left.
pub struct Printed {
    pub code: u32,
    pub out: String,
    pub err: String,
}

impl Tools {
    pub fn start(java: Java) -> Tools {
        let mut command = Command::new(java.script());
        command.arg("run-tools").arg(tests_folder().join("interop/cli/Tools.java"));
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start Java");
        Tools { java, process }
    }

    /// The words that run one in a Java of its own.
    pub fn alone(&self, call: &[String]) -> Vec<String> {
        let script = self.java.script().display().to_string();
        [&[script, "class".to_owned(), "tools".to_owned()], call].concat()
    }

    /// Runs one; the program itself gives it up after a minute, with code 124.
    pub fn call(&mut self, words: &[String], input: &str) -> Printed {
        if let Some((class, arguments)) = words.split_first().filter(|(class, _)| *class == ALONE) {
            let done = run(self.java.tool(class).args(arguments), LIMIT);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let code = done.status.code().and_then(|code| u32::try_from(code).ok()).expect("an exit code");
            return Printed { code, out: text(&done.stdout), err: text(&done.stderr) };
        }
        let mut asked = number(words.len()).to_vec();
        for text in words.iter().map(String::as_str).chain([input]) {
            asked.extend(number(text.len()));
            asked.extend(text.as_bytes());
        }
        self.process.stdin.as_mut().expect("stdin is a pipe").write_all(&asked).expect("tell Java a command");
        let code = self.number();
        let printed = Printed { code, out: self.text(), err: self.text() };
        if code == GIVEN_UP {
            *self = Tools::start(self.java);
        }
        printed
    }

    fn number(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.process.stdout.as_mut().expect("stdout is a pipe").read_exact(&mut bytes).expect("Java answers");
        u32::from_be_bytes(bytes)
    }

    fn text(&mut self) -> String {
        let mut bytes = vec![0; usize::try_from(self.number()).expect("a length")];
        self.process.stdout.as_mut().expect("stdout is a pipe").read_exact(&mut bytes).expect("Java answers");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn number(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a short text").to_be_bytes()
}
