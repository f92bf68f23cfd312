//! `order.cancelReplace`: a cancel and a new order in one request, each of which may fail alone.

use super::Venue;
use super::api::{ApiSession, error_text};
use super::orders::response_type;
use super::params::Params;
use crate::exchange::reject::Reject;

impl Venue {
    /// The cancel, then the new order. What a request says wrongly is refused before anything is done.
    pub(super) fn cancel_replace(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = self.symbol_of(params)?;
        let goes_on = match params.required("cancelReplaceMode")? {
            "STOP_ON_FAILURE" => false,
            "ALLOW_FAILURE" => true,
            _ => return Err(Reject::invalid("cancelReplaceMode")),
        };
        let named = (params.whole("cancelOrderId")?, params.get("cancelOrigClientOrderId"));
        if named == (None, None) {
            return Err(Reject::either("cancelOrigClientOrderId", "cancelOrderId"));
        }
        let request = self.new_order(account, params)?;
        response_type(params, request.kind)?;
        let cancel_name = params.name("cancelNewClientOrderId")?;
        let cancelled = self.cancel_named((account, symbol), named, params, cancel_name);
        let placed = (cancelled.is_ok() || goes_on).then(|| self.order_place(session, params));
        self.both(&cancelled, placed.as_ref())
    }

    /// The answer: a result when both halves were done, else a refusal that tells of each.
    fn both(
        &self,
        cancelled: &Result<String, Reject>,
        placed: Option<&Result<String, Reject>>,
    ) -> Result<String, Reject> {
        let half = |half: Option<&Result<String, Reject>>| match half {
            Some(Ok(done)) => ("SUCCESS", done.clone()),
            Some(Err(reject)) => ("FAILURE", error_text(reject, self.now)),
            None => ("NOT_ATTEMPTED", "null".to_owned()),
        };
        let ((cancel_word, cancel), (new_word, new)) = (half(Some(cancelled)), half(placed));
        let data = format!(
            r#"{{"cancelResult":"{cancel_word}","newOrderResult":"{new_word}","cancelResponse":{cancel},"newOrderResponse":{new}}}"#
        );
        let failed = match (cancelled, placed) {
            (Ok(_), Some(Ok(_))) => return Ok(data),
            (Err(_), Some(Err(_)) | None) => Reject::new(-2022, "Order cancel-replace failed."),
            _ => Reject::new(-2021, "Order cancel-replace partially failed.").with_status(409),
        };
        Err(Reject { data: Some(data.into()), ..failed })
    }
}
