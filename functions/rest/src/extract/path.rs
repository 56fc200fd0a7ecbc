//! Parameters in the path.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;

use crate::{
    Deps,
    error::{Error, Result},
};

/// The parameters of the path. One that cannot be what it stands for (an id that is no id, or larger than ids are) names
/// nothing, so it is not found.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Deps>> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, deps: &Arc<Deps>) -> Result<Self> {
        let nothing = || Error::NotFound("resource: the path has an id that cannot be one");
        // Nothing in the database has U+0000 in its id, and asking would be an error.
        if parts.uri.path().contains("%00") {
            return Err(nothing());
        }
        let path = axum::extract::Path::<T>::from_request_parts(parts, deps).await;
        path.map(|path| Self(path.0)).map_err(|_| nothing())
    }
}
