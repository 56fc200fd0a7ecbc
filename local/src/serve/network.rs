//! The open ports and the servers on them.

use std::time::Duration;

use axum::Router;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::Arguments;
use crate::{edge, ports, urls::PublicUrls};

/// How long the requests that are under way may take when the stack stops.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// The open ports.
pub(super) struct Listeners {
    pub(super) edge: Vec<TcpListener>,
    pub(super) aws: Vec<TcpListener>,
    /// Of the fake Dialpad.
    pub(super) dialpad: Option<TcpListener>,
}

impl Listeners {
    /// Opens them, on loopback only.
    pub(super) async fn open(arguments: &Arguments, with_dialpad: bool) -> Result<Self, ports::Error> {
        let (port, aws_port, dialpad_port) = if arguments.ephemeral {
            (0, 0, 0)
        } else {
            (arguments.port, arguments.aws_port, arguments.dialpad_port)
        };
        let mut edge = vec![ports::open(port, "--port").await?];
        if port != 0 {
            edge.extend(ports::open_v6(port, "--port").await?);
        }
        let aws = vec![ports::open(aws_port, "--aws-port").await?];
        let dialpad =
            if with_dialpad { Some(ports::open(dialpad_port, "--dialpad-port").await?) } else { None };
        Ok(Self { edge, aws, dialpad })
    }

    /// Where the fake Dialpad answers.
    pub(super) fn dialpad_url(&self) -> std::io::Result<Option<String>> {
        let port = self.dialpad.as_ref().map(TcpListener::local_addr).transpose()?;
        Ok(port.map(|address| format!("http://127.0.0.1:{}", address.port())))
    }

    /// Where the stack answers on them.
    pub(super) fn urls(&self, arguments: &Arguments) -> std::io::Result<PublicUrls> {
        let host = if arguments.ephemeral { "127.0.0.1" } else { "localhost" };
        let port = |listeners: &[TcpListener]| Ok::<_, std::io::Error>(listeners[0].local_addr()?.port());
        let (edge, aws) = (port(&self.edge)?, port(&self.aws)?);
        Ok(PublicUrls {
            http: format!("http://{host}:{edge}"),
            // The stage follows when the template is read.
            ws: format!("ws://{host}:{edge}/"),
            aws: format!("http://127.0.0.1:{aws}"),
        })
    }
}

/// The servers of one router.
pub(super) struct Servers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Servers {
    /// Serves the router on all the listeners.
    pub(super) fn start(listeners: Vec<TcpListener>, router: &Router) -> Self {
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        for listener in listeners {
            let (router, mut stopped) = (router.clone(), stop.subscribe());
            let stopped = async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            tasks.spawn(async move {
                if let Err(error) = edge::serve(listener, router, stopped).await {
                    tracing::error!(%error, "a port is not served any more");
                }
            });
        }
        Self { stop, tasks }
    }

    /// Takes no more connections, and gives the requests under way a moment.
    pub(super) async fn stop(&mut self) {
        self.stop.send_replace(true);
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(STOP_GRACE, finished).await;
    }
}
