//! What is said to the person or script at the terminal: progress on standard error, results on standard output.

use std::io::Write;

use serde::Serialize;

use crate::urls::PublicUrls;

/// What the other commands take when they are told no port.
const DEFAULT_PORT: &str = "4000";

/// Says what is going on, or what went wrong.
pub fn progress(line: &str) {
    // Nothing can be done for somebody who closed the terminal.
    let _ = writeln!(std::io::stderr().lock(), "local: {line}");
}

/// Says that everything is ready, for a person.
pub fn ready(urls: &PublicUrls, database_url: Option<&str>, poll_seconds: &str, dialpad: Option<&str>) {
    let PublicUrls { http, ws, .. } = urls;
    let port = http.rsplit(':').next().filter(|port| *port != DEFAULT_PORT);
    let port = port.map(|port| format!(" --port {port}")).unwrap_or_default();
    let database = database_url.map(|url| format!("export DATABASE_URL={url}\n\n")).unwrap_or_default();
    let dialpad = dialpad.map(|url| format!("Fake Dialpad on {url}\n")).unwrap_or_default();
    let text = format!(
        "Server is running on {http}\n\
         WebSocket server available at {ws}\n\
         Webhook event processor started (polling every {poll_seconds}s)\n\
         {dialpad}\
         \n\
         {database}\
         Things to try:\n  \
           curl {http}/\n  \
           curl -X POST {http}/internal/apps -H 'content-type: application/json' -d '{{\"name\":\"My CRM\"}}'\n  \
           cargo run -p local -- simulate inbound-answered{port}\n",
    );
    print(&text);
}

/// Says that everything is ready, in one line of JSON for a script.
pub fn ready_for_script(urls: &PublicUrls, database_url: &str, dialpad: Option<&str>) {
    #[derive(Serialize)]
    struct Ready<'a> {
        component: &'a str,
        message: &'a str,
        edge: &'a str,
        ws: &'a str,
        aws: &'a str,
        database_url: &'a str,
        dialpad: Option<&'a str>,
    }
    let PublicUrls { http, ws, aws } = urls;
    let ready = Ready { component: "Local", message: "ready", edge: http, ws, aws, database_url, dialpad };
    // Text has no way of failing to be JSON.
    print(&format!("{}\n", serde_json::to_string(&ready).unwrap_or_default()));
}

/// Prints one line of a result.
pub fn line(text: &str) {
    print(&format!("{text}\n"));
}

fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes());
    let _ = output.flush();
}
