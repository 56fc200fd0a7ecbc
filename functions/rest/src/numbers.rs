//! Numbers in filters, spelled as the columns have them.

use shared::{
    domain::ids::AppId,
    phone::{Number, Region},
    problem::FieldError,
    store::apps,
};

use crate::{
    Deps,
    error::{Error, Result},
    extract::PhoneNumber,
};

/// The numbers of a query, each with the name of its parameter. The app's default region is asked for only when one of them
/// comes without its country's code.
pub(crate) async fn spelled<const N: usize>(
    deps: &Deps,
    app_id: AppId,
    numbers: [(&str, Option<PhoneNumber>); N],
) -> Result<[Option<String>; N]> {
    let is_national = |number: &Option<PhoneNumber>| matches!(number, Some(PhoneNumber(Number::National(_))));
    let national: Vec<&str> =
        numbers.iter().filter(|(_, number)| is_national(number)).map(|(name, _)| *name).collect();
    let region = if national.is_empty() { None } else { Some(region(deps, app_id, &national).await?) };
    Ok(numbers.map(|(_, number)| number.map(|PhoneNumber(number)| number.spelled(region))))
}

/// The default region of an app, which these parameters need.
async fn region(deps: &Deps, app_id: AppId, parameters: &[&str]) -> Result<Region> {
    let db = deps.store.tenant(app_id).await?;
    let region = apps::default_region(&*db, app_id).await?;
    let missing = |name: &&str| {
        FieldError {
        pointer: (*name).to_owned(),
        detail: "is a number without its country's code, and the app has no default region: write it as +14155550160 \
                 (the plus sign as %2B), or set default_region with PATCH /internal/apps/{app_id}"
            .to_owned(),
    }
    };
    region
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| Error::Invalid(parameters.iter().map(missing).collect()))
}
