//! A headless browser, controlled over its debugging pipe with JSON messages that end in NUL.

use std::io::{self, BufRead as _, BufReader, PipeWriter, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Child, command, needed, until};

/// Chromium with one page.
pub struct Browser {
    // Dropped in this order: it exits before its folder is removed.
    _child: Child,
    _folder: TempDir,
    to: PipeWriter,
    heard: Arc<Mutex<Vec<Value>>>,
    asked: usize,
    session: Option<String>,
}

impl Browser {
    /// Starts Chromium with these options; skips the test if it is missing.
    pub fn start(options: &[&str]) -> Option<Browser> {
        let program = needed("chromium")?;
        let folder = TempDir::new().unwrap();
        let (from, theirs) = io::pipe().unwrap();
        let (its, to) = io::pipe().unwrap();
        let mut shell = command("sh");
        shell.args([
            "-c",
            "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
            "sh",
        ]);
        shell
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu"]);
        shell
            .arg("--disable-dev-shm-usage")
            .arg("--remote-debugging-pipe")
            .args(options);
        shell.arg(format!("--user-data-dir={}", folder.path().display()));
        shell
            .stdin(its)
            .stdout(theirs)
            .envs(["HOME", "TMPDIR"].map(|name| (name, folder.path())));
        let child = Child::start(&mut shell);
        drop(shell);
        let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for message in BufReader::new(from).split(0).map_while(Result::ok) {
                kept.lock()
                    .unwrap()
                    .push(serde_json::from_slice(&message).unwrap());
            }
        });
        let mut browser = Browser {
            _child: child,
            _folder: folder,
            to,
            heard,
            asked: 0,
            session: None,
        };
        let page = browser.ask("Target.createTarget", &json!({ "url": "about:blank" }));
        let page = json!({ "targetId": page["targetId"], "flatten": true });
        let session = browser.ask("Target.attachToTarget", &page);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for part in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{part}.enable"), &json!({}));
        }
        Some(browser)
    }

    fn told(&self, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let heard = self.heard.lock().unwrap();
        heard
            .iter()
            .filter(|message| is_it(message))
            .cloned()
            .collect()
    }

    /// Calls a method of the protocol and returns its result.
    #[track_caller]
    pub fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        let answer = until(method, || self.told(|message| message["id"] == id).pop());
        assert_eq!(answer["error"], Value::Null, "{method}");
        answer["result"].clone()
    }

    /// Opens a file with a dark or a light color scheme.
    #[track_caller]
    pub fn open(&mut self, path: &Path, scheme: &str) {
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.ask("Emulation.setEmulatedMedia", &json!({ "features": scheme }));
        self.heard.lock().unwrap().clear();
        let url = format!("file://{}", path.display());
        self.ask("Page.navigate", &json!({ "url": url }));
        until("a page", || {
            self.told(|message| message["method"] == "Page.loadEventFired")
                .pop()
        });
    }

    /// Evaluates an expression in the page.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let answer = self.ask("Runtime.evaluate", &asked);
        assert_eq!(answer["exceptionDetails"], Value::Null, "{expression}");
        answer["result"]["value"].clone()
    }

    /// The current page.
    #[track_caller]
    pub fn html(&mut self) -> String {
        let root = self.ask("DOM.getDocument", &json!({ "depth": 0 }));
        let root = json!({ "nodeId": root["root"]["nodeId"] });
        let html = self.ask("DOM.getOuterHTML", &root);
        html["outerHTML"].as_str().unwrap().to_owned()
    }

    /// Asserts that the page wrote nothing to the console, and loaded nothing else.
    #[track_caller]
    pub fn assert_quiet(&self) {
        let said = [
            "Runtime.exceptionThrown",
            "Runtime.consoleAPICalled",
            "Log.entryAdded",
        ];
        let complaints = self.told(|message| {
            let method = message["method"].as_str().unwrap_or_default();
            let is_other = message["params"]["type"] != "Document";
            said.contains(&method) || method == "Network.requestWillBeSent" && is_other
        });
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}
