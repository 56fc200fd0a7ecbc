//! Answers that are not lists.

use serde::Serialize;
use utoipa::ToSchema;

/// One thing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Data<T> {
    /// Always true.
    success: bool,
    data: T,
}

impl<T: Serialize> Data<T> {
    /// The answer that shows it.
    pub(crate) fn json(data: T) -> axum::Json<Self> {
        axum::Json(Self { success: true, data })
    }
}

/// That it was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    /// Always true.
    success: bool,
    message: &'static str,
}

impl Done {
    /// The answer that says so.
    pub(crate) fn json(message: &'static str) -> axum::Json<Self> {
        axum::Json(Self { success: true, message })
    }
}
