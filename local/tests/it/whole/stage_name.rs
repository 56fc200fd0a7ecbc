//! The WebSocket API is where the template's stage says, and clients are told so.

use axum::http::Method;
use local::settings::root;

use super::{folder::Folder, server::Server};

#[tokio::test(flavor = "multi_thread")]
async fn the_websocket_path_is_the_templates_stage() {
    let folder = Folder::new("stage-name");
    std::fs::create_dir(&folder.0).unwrap();
    let (file, text) =
        (folder.0.join("template.yaml"), std::fs::read_to_string(root().join("template.yaml")));
    std::fs::write(&file, text.unwrap().replace("StageName: ws", "StageName: live")).unwrap();
    let server = Server::start(&["--template", file.to_str().unwrap()]);
    assert!(server.ws().ends_with("/live"), "{}", server.ws());

    let client = server.client();
    let app = client.make_app("stage").await.unwrap();
    let headers = [("x-app-api-key", app.api_key.as_str()), ("content-type", "application/json")];
    let ticket = client.send(Method::POST, "/api/ws-tickets", &headers, "{}").await.unwrap().body;
    assert!(ticket["url"].as_str().unwrap_or_default().starts_with(server.ws()), "{ticket}");
    let refused = client.connect(&format!("api_key={}", app.api_key)).await.unwrap_err();
    assert_eq!(refused.handshake_status().map(|status| status.as_u16()), Some(403));
}
