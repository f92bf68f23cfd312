//! Order entry over WebSocket: logged on once, then no signature per request. An answer means accepted.

use super::auth::check_time;
use super::limits::Usage;
use super::orders::Action;
use super::params::Params;
use super::refusal::Refusal;
use super::session::{Session, log_on_args};
use super::words::scatter;
use super::{ConnId, Frame, Venue};
use crate::dialect::json::to_text;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Longest `reqId`.
const REQ_ID_MAX: usize = 36;
/// Request ids remembered per connection; beyond them the session is asked to start anew.
const REQ_IDS_MAX: usize = 1_000_000;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(rename = "reqId")]
    req_id: Option<String>,
    op: Option<String>,
    header: Option<Map<String, Value>>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

/// What an answer carries.
pub(super) struct Answer {
    data: Value,
    ext: Value,
}

/// What an operation does, and whether to many orders.
pub(super) fn action(op: &str) -> Option<(Action, bool)> {
    Some(match op {
        "order.create" => (Action::Create, false),
        "order.amend" => (Action::Amend, false),
        "order.cancel" => (Action::Cancel, false),
        "order.create-batch" => (Action::Create, true),
        "order.amend-batch" => (Action::Amend, true),
        "order.cancel-batch" => (Action::Cancel, true),
        _ => return None,
    })
}

impl Venue {
    /// Answers one request of an order entry connection.
    pub(super) fn on_trade_request(&mut self, conn: ConnId, text: &str) {
        let Some(mut session) = self.sessions.remove(&conn) else { return };
        let answer = self.trade_answer(&mut session, text);
        self.sessions.insert(conn, session);
        // The order topic runs on another connection: it comes before the answer as often as after it.
        if self.is_told_first() {
            self.publish();
            self.send(conn, Frame::Text(answer));
        } else {
            self.send(conn, Frame::Text(answer));
            self.publish();
        }
    }

    fn trade_answer(&mut self, session: &mut Session, text: &str) -> String {
        let conn_id = session.conn_id.clone();
        let Ok(request) = serde_json::from_str::<Request<'_>>(text) else {
            let refusal = Refusal::new(10001, "Request parameter error.");
            return brief(None, Err(&refusal), "", &conn_id);
        };
        let (id, op) = (request.req_id.as_deref(), request.op.as_deref().unwrap_or(""));
        match op {
            "ping" => {
                let id = id.map_or_else(String::new, |id| format!(r#""reqId":{},"#, to_text(id)));
                let now = self.now.as_ms();
                format!(
                    r#"{{{id}"retCode":0,"retMsg":"OK","op":"pong","data":["{now}"],"connId":"{conn_id}"}}"#
                )
            }
            "auth" => {
                let result = self.trade_log_on(session, request.args.map_or("[]", RawValue::get));
                brief(id, result.as_ref().copied(), op, &conn_id)
            }
            _ => {
                let (usage, result) = self.trade_call(session, &request, op);
                self.next_trace += 1;
                let (now_ms, trace) = (self.now.as_ms(), self.next_trace);
                Sender { id, op, conn_id: &conn_id, now_ms, trace }.whole(usage, result)
            }
        }
    }

    fn trade_log_on(&self, session: &mut Session, args: &str) -> Result<(), Refusal> {
        if session.account.is_some() {
            return Err(Refusal::new(20001, "Repeat auth"));
        }
        let (key, expires_ms, signature) = log_on_args(args)?;
        session.account = Some(self.keys.log_on(&key, expires_ms, &signature, self.now)?);
        Ok(())
    }

    fn trade_call(
        &mut self,
        session: &mut Session,
        request: &Request<'_>,
        op: &str,
    ) -> (Option<Usage>, Result<Answer, Refusal>) {
        let checked = self.trade_check(session, request, op);
        let (account, action, is_batch, params) = match checked {
            Ok(checked) => checked,
            Err(refusal) => return (None, Err(refusal)),
        };
        let batch =
            if is_batch { Self::batch(&params) } else { params.category().map(|c| (c, vec![params])) };
        let (category, rows) = match batch {
            Ok(batch) => batch,
            Err(refusal) => return (None, Err(refusal)),
        };
        let endpoint = action.endpoint(is_batch);
        let (usage, room) = self.limits.charge(self.now, account, endpoint, category, rows.len());
        if let Err(refusal) = room {
            return (Some(usage), Err(refusal));
        }
        let result = if is_batch {
            let (data, ext) = self.act_all(action, account, &rows);
            Ok(Answer { data, ext })
        } else {
            let row = rows.first().cloned().unwrap_or_default();
            self.act(action, account, &row).map(|ids| Answer { data: ids.value(), ext: json!({}) })
        };
        (Some(usage), result)
    }

    /// Everything that is checked before an order is looked at.
    fn trade_check(
        &self,
        session: &mut Session,
        request: &Request<'_>,
        op: &str,
    ) -> Result<(usize, Action, bool, Params), Refusal> {
        let (action, is_batch) = action(op).ok_or(Refusal::new(10404, "op type is not found"))?;
        let account = session.account.ok_or(Refusal::new(10007, "User not logged in."))?;
        if let Some(id) = request.req_id.as_deref().filter(|id| !id.is_empty()) {
            if id.len() > REQ_ID_MAX {
                return Err(Refusal::param("reqId"));
            }
            if session.req_ids.len() >= REQ_IDS_MAX || !session.req_ids.insert(id.to_owned()) {
                return Err(Refusal::new(20006, "Duplicate reqId"));
            }
        }
        let header = |name: &str| {
            let value = request.header.as_ref()?.get(name)?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let timestamp = header("X-BAPI-TIMESTAMP").ok_or(Refusal::param("X-BAPI-TIMESTAMP"))?;
        check_time(&timestamp, header("X-BAPI-RECV-WINDOW").as_deref(), self.now)?;
        let args: Vec<&RawValue> = serde_json::from_str(request.args.map_or("[]", RawValue::get))
            .map_err(|_| Refusal::param("args"))?;
        let [args] = args.as_slice() else { return Err(Refusal::param("args")) };
        Ok((account, action, is_batch, Params::from_json(args.get())?))
    }
}

/// Whom and what an answer is for.
pub(super) struct Sender<'a> {
    /// `reqId`.
    pub id: Option<&'a str>,
    /// What was asked.
    pub op: &'a str,
    /// The venue's name for the connection.
    pub conn_id: &'a str,
    /// Market time.
    pub now_ms: u64,
    /// What the trace is made of.
    pub trace: u64,
}

impl Sender<'_> {
    /// The answer to an order request.
    pub(super) fn whole(&self, usage: Option<Usage>, result: Result<Answer, Refusal>) -> String {
        let Self { id, op, conn_id, now_ms, trace } = self;
        let trace = format!("{:016x}{:016x}", scatter(*trace), scatter(!*trace));
        let limits = usage.map_or_else(String::new, |usage| {
            format!(
                r#""X-Bapi-Limit":"{}","X-Bapi-Limit-Status":"{}","X-Bapi-Limit-Reset-Timestamp":"{}","#,
                usage.limit, usage.left, usage.reset_ms
            )
        });
        let id = id.map_or_else(String::new, |id| format!(r#""reqId":{},"#, to_text(id)));
        let (code, msg, data, ext) = match result {
            Ok(Answer { data, ext }) => (0, "OK".into(), data, ext),
            Err(refusal) => (refusal.code, refusal.msg, json!({}), json!({})),
        };
        format!(
            r#"{{{id}"retCode":{code},"retMsg":{},"op":{},"data":{data},"retExtInfo":{ext},"header":{{{limits}"Traceid":"{trace}","Timenow":"{now_ms}"}},"connId":"{conn_id}"}}"#,
            to_text(&msg),
            to_text(op),
        )
    }
}

/// An answer without data.
pub(super) fn brief(id: Option<&str>, result: Result<(), &Refusal>, op: &str, conn_id: &str) -> String {
    let id = id.map_or_else(String::new, |id| format!(r#""reqId":{},"#, to_text(id)));
    let (code, msg) = match result {
        Ok(()) => (0, "OK"),
        Err(refusal) => (refusal.code, refusal.msg.as_ref()),
    };
    format!(r#"{{{id}"retCode":{code},"retMsg":{},"op":{},"connId":"{conn_id}"}}"#, to_text(msg), to_text(op))
}
