//! The course of an erasure: short steps, one after the other, until there is nothing left or the time is over.
//!
//! A step looks for rows by the number and takes it out of them, so whoever begins again finds those that are left. Only
//! what is read one after the other has a place, which is kept. Each step that looks at what the fold is made of has the
//! app's stream locked, and nothing is folded meanwhile; between two steps the app goes on.

use chrono::TimeDelta;
use shared::{
    dialpad::erasure::{Number, erase},
    domain::ids::AppId,
    store::{
        Transaction,
        erasures::{
            self, Erased, Text,
            scan::{self, Frame, Place},
        },
    },
};

use crate::{
    Deps,
    error::{Error, Result},
};

/// No step is begun after this time: a request may take ten seconds.
const BEGIN_WITHIN: TimeDelta = TimeDelta::seconds(4);
/// How many conversations one step takes: there may be thousands with one number, and each has several payloads.
const CONVERSATIONS: i64 = 100;
/// How many rows of another kind one step takes.
const ROWS: i64 = 500;

/// What is to be done next.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// Conversations with the number, their voicemails and payloads.
    Calls,
    /// Text messages with it, and their payloads.
    Messages,
    /// What else has it in a column.
    Others,
    /// What has to be read.
    Scan(Place),
}

/// An erasure that is under way.
pub(super) struct Course<'a> {
    deps: &'a Deps,
    app_id: AppId,
    number: &'a Number,
    hash: Vec<u8>,
    /// Where what has to be read goes on.
    place: Place,
    erased: Erased,
}

impl<'a> Course<'a> {
    /// From now on deliveries about something earlier are stored without the number.
    pub(super) async fn begin(deps: &'a Deps, app_id: AppId, number: &'a Number) -> Result<Self> {
        let hash = number.hash(app_id);
        let tx = deps.store.app(app_id).await?;
        if !erasures::lock(&*tx, app_id).await? {
            return Err(Error::NotFound("app"));
        }
        let place = tx.commit_with(erasures::begin(&*tx, app_id, &hash, deps.clock.now())).await?;
        let place = place.unwrap_or(Place::FIRST);
        Ok(Self { deps, app_id, number, hash, place, erased: Erased::default() })
    }

    /// Goes on until the time is over; says what was done, and whether that is all.
    pub(super) async fn go(mut self) -> Result<(Erased, bool)> {
        let end = self.deps.clock.now() + BEGIN_WITHIN;
        let mut next = Some(Next::Calls);
        while let Some(step) = next {
            if self.deps.clock.now() > end {
                return Ok((self.erased, false));
            }
            next = self.step(step).await?;
        }
        Ok((self.erased, true))
    }

    async fn step(&mut self, step: Next) -> Result<Option<Next>> {
        let tx = self.deps.store.app(self.app_id).await?;
        if !matches!(step, Next::Scan(Place::Log(_))) {
            erasures::lock(&*tx, self.app_id).await?;
        }
        let (erased, next) = match step {
            Next::Calls => {
                let erased = self.calls(&tx).await?;
                (erased, Some(if erased == Erased::default() { Next::Messages } else { Next::Calls }))
            }
            Next::Messages => {
                let erased = self.messages(&tx).await?;
                (erased, Some(if erased == Erased::default() { Next::Others } else { Next::Messages }))
            }
            Next::Others => {
                let erased = erasures::others(&*tx, self.app_id, self.number.digits(), ROWS).await?;
                let is_over = erased == Erased::default();
                (erased, Some(if is_over { Next::Scan(self.place) } else { Next::Others }))
            }
            Next::Scan(place) => {
                let (erased, next) = self.scan(&tx, place).await?;
                erasures::keep_place(&*tx, self.app_id, &self.hash, next).await?;
                (erased, next.map(Next::Scan))
            }
        };
        tx.commit().await?;
        self.erased += erased;
        Ok(next)
    }

    async fn calls(&self, tx: &Transaction) -> Result<Erased> {
        let legs = erasures::legs(&**tx, self.app_id, self.number.digits(), CONVERSATIONS).await?;
        if legs.is_empty() {
            return Ok(Erased::default());
        }
        let payloads = erasures::payloads_of_calls(&**tx, self.app_id, &legs).await?;
        let webhook_events = self.replace(tx, payloads).await?;
        let erased = erasures::calls(&**tx, self.app_id, self.number.digits(), &legs).await?;
        Ok(Erased { webhook_events, ..erased })
    }

    async fn messages(&self, tx: &Transaction) -> Result<Erased> {
        let texts = erasures::texts(&**tx, self.app_id, self.number.digits(), ROWS).await?;
        if texts.is_empty() {
            return Ok(Erased::default());
        }
        let payloads = erasures::payloads_of_texts(&**tx, self.app_id, &texts).await?;
        let webhook_events = self.replace(tx, payloads).await?;
        let erased = erasures::messages(&**tx, self.app_id, self.number.digits(), &texts).await?;
        Ok(Erased { webhook_events, ..erased })
    }

    async fn scan(&self, tx: &Transaction, place: Place) -> Result<(Erased, Option<Place>)> {
        let digits = self.number.digits();
        match place {
            Place::Deliveries(kind, received_at, id) => {
                let after = (kind, received_at, id);
                let (payloads, next) = scan::payloads(&**tx, self.app_id, digits, after).await?;
                let webhook_events = self.replace(tx, payloads).await?;
                Ok((Erased { webhook_events, ..Erased::default() }, Some(next)))
            }
            Place::Log(after) => {
                let (frames, next) = scan::frames(&**tx, self.app_id, digits, after).await?;
                let without = |Frame { seq, json }| erase(&json, self.number).map(|json| Frame { seq, json });
                let frames: Vec<Frame> = frames.into_iter().filter_map(without).collect();
                let client_events = scan::replace_frames(&**tx, self.app_id, &frames).await?;
                Ok((Erased { client_events, ..Erased::default() }, next))
            }
        }
    }

    /// Puts the payloads that name the person back without, and those that were kept aside for contradicting one of them.
    async fn replace(&self, tx: &Transaction, mut payloads: Vec<Text>) -> Result<u64> {
        payloads.extend(erasures::kept_aside(&**tx, self.app_id, &payloads).await?);
        let without = |Text { id, json }| erase(&json, self.number).map(|json| Text { id, json });
        let payloads: Vec<Text> = payloads.into_iter().filter_map(without).collect();
        Ok(erasures::replace_payloads(&**tx, self.app_id, &payloads).await?)
    }
}
