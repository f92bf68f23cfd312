"""Writes the Grafana dashboards beside this file: one JSON document each, the same bytes every time.

usage: generate.py [--check]

--check writes nothing and ends with status 1 when a file is not what this program would write. Panels flow from left to
right in rows of 24 columns, so that none can lie on another; every panel names unit, legend and thresholds. A change of a
dashboard is a change here: what is edited in Grafana is lost at the next start.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
# Where pages of the alerts are read unless the dashboard's variable says otherwise.
RUNBOOKS = "tools/monitoring/runbooks"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"
# What TradingState numbers mean, and how alarming each is.
STATES = ["NORMAL", "WARN", "REDUCE_ONLY", "CANCEL_ONLY", "HALT"]
STATE_COLOURS = [GREEN, YELLOW, ORANGE, RED, "dark-red"]
# Of this engine only; every query of a metric carries it.
OWN = 'instance=~"$instance"'


def steps(*pairs):
    """Thresholds: a base colour, then (value, colour) from where it changes."""
    base, *rest = pairs
    all_steps = [{"color": base, "value": None}] + [{"color": colour, "value": value} for value, colour in rest]
    return {"mode": "absolute", "steps": all_steps}


PLAIN = steps(GREEN)
USE = steps(GREEN, (0.8, YELLOW), (0.95, RED))
LOSS = steps(GREEN, (0.5, YELLOW), (0.8, RED))
BAD_ABOVE_ZERO = steps(GREEN, (1, RED))
GOOD_AT_ONE = steps(RED, (1, GREEN))
LEVELS = steps(*[STATE_COLOURS[0]] + [(n, colour) for n, colour in enumerate(STATE_COLOURS) if n > 0])


def values(texts, colours):
    options = {str(n): {"text": text, "color": colours[n], "index": n} for n, text in enumerate(texts)}
    return [{"type": "value", "options": options}]


STATE_TEXTS = values(STATES, STATE_COLOURS)
YES_NO = values(["NO", "yes"], [RED, GREEN])
JOURNAL_TEXTS = values(["good", "low", "behind", "LOST"], [GREEN, YELLOW, RED, "dark-red"])
TREND_TEXTS = [
    {
        "type": "value",
        "options": {
            "-1": {"text": "down", "color": RED, "index": 0},
            "0": {"text": "none", "color": "gray", "index": 1},
            "1": {"text": "up", "color": GREEN, "index": 2},
        },
    }
]


class Panel:
    """One panel before it has a place. `queries` are (expression, legend)."""

    def __init__(self, kind, title, unit, queries, *, about="", thresholds=PLAIN, mappings=(), width=8, height=8, **more):
        self.kind, self.title, self.unit, self.queries = kind, title, unit, queries
        self.about, self.thresholds, self.mappings = about, thresholds, list(mappings)
        self.width, self.height, self.more = width, height, more

    def json(self, panel_id, x, y):
        is_instant = self.kind in ("stat", "table", "bargauge")
        form = "table" if self.kind == "table" else "heatmap" if self.kind == "heatmap" else "time_series"
        targets = [
            {
                "datasource": SOURCE,
                "editorMode": "code",
                "expr": expr,
                "format": form,
                "instant": is_instant,
                "range": not is_instant,
                "legendFormat": legend,
                "refId": chr(ord("A") + n),
            }
            for n, (expr, legend) in enumerate(self.queries)
        ]
        defaults = {"unit": self.unit, "thresholds": self.thresholds, "mappings": self.mappings, "color": {"mode": "palette-classic"}}
        for key in ("min", "max", "decimals", "noValue"):
            if key in self.more:
                defaults[key] = self.more[key]
        panel = {
            "id": panel_id,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": SOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "fieldConfig": {"defaults": defaults, "overrides": self.more.get("overrides", [])},
            "targets": targets,
        }
        panel["options"] = getattr(self, "options_of_" + self.kind.replace("-", "_"))(defaults)
        if "transformations" in self.more:
            panel["transformations"] = self.more["transformations"]
        return panel

    def options_of_timeseries(self, defaults):
        stacking = {"group": "A", "mode": "normal" if self.more.get("stack") else "none"}
        scale = {"type": "log", "log": 10} if self.more.get("log") else {"type": "linear"}
        shown = {"mode": "line" if self.more.get("line") else "off"}
        defaults["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 20 if self.more.get("stack") else 0,
            "lineWidth": 1,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": stacking,
            "scaleDistribution": scale,
            "thresholdsStyle": shown,
        }
        legend = {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}

    def options_of_stat(self, defaults):
        defaults["color"] = {"mode": "thresholds"}
        calcs = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        mode = "background" if self.mappings or len(self.thresholds["steps"]) > 1 else "value"
        return {"colorMode": mode, "graphMode": "none", "justifyMode": "auto", "textMode": "auto", "reduceOptions": calcs}

    def options_of_bargauge(self, defaults):
        defaults["color"] = {"mode": "thresholds"}
        calcs = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"displayMode": "gradient", "orientation": "horizontal", "showUnfilled": True, "reduceOptions": calcs}

    def options_of_table(self, defaults):
        defaults["color"] = {"mode": "thresholds"}
        defaults["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}
        return {"cellHeight": "sm", "showHeader": True}

    def options_of_state_timeline(self, defaults):
        defaults["color"] = {"mode": "thresholds"}
        defaults["custom"] = {"fillOpacity": 80, "lineWidth": 0}
        return {"mergeValues": True, "rowHeight": 0.9, "showValue": "auto", "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"}}

    def options_of_heatmap(self, defaults):
        return {
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5},
            "yAxis": {"unit": self.unit, "axisPlacement": "left"},
            "rowsFrame": {"layout": "le"},
            "legend": {"show": True},
            "tooltip": {"mode": "single", "showColorScale": True},
        }


def stat(title, unit, expr, legend="{{instance}}", **more):
    return Panel("stat", title, unit, [(expr, legend)], **{"width": 4, "height": 4, **more})


def series(title, unit, *queries, **more):
    return Panel("timeseries", title, unit, list(queries), **more)


def states(title, unit, *queries, mappings, thresholds, **more):
    return Panel("state-timeline", title, unit, list(queries), mappings=mappings, thresholds=thresholds, **more)


def held(**more):
    """The engine's state always, and beside it what holds anything down, while it does."""
    return states(
        "Held, by scope and control",
        "none",
        (f"smc:engine_state:level{{{OWN}}}", "engine"),
        (f"smc_breaker_state{{{OWN}}} > 0", "{{scope}} by {{control}}"),
        mappings=STATE_TEXTS,
        thresholds=LEVELS,
        **more,
    )


def heat(title, metric, matchers, **more):
    expr = f"sum by (le) (increase({metric}_bucket{{{matchers}}}[$__rate_interval]))"
    return Panel("heatmap", title, "s", [(expr, "{{le}}")], **more)


def alerts(**more):
    runbook = {"title": "Runbook", "url": "${runbooks}/${__data.fields.alertname}.md", "targetBlank": True}
    overrides = [
        {"matcher": {"id": "byName", "options": "alertname"}, "properties": [{"id": "links", "value": [runbook]}]},
        {
            "matcher": {"id": "byName", "options": "severity"},
            "properties": [
                {"id": "custom.cellOptions", "value": {"type": "color-background"}},
                {
                    "id": "mappings",
                    "value": [
                        {
                            "type": "value",
                            "options": {
                                "critical": {"color": RED, "index": 0},
                                "warning": {"color": YELLOW, "index": 1},
                                "info": {"color": BLUE, "index": 2},
                            },
                        }
                    ],
                },
            ],
        },
    ]
    hidden = ["Time", "Value", "__name__", "alertstate", "job"]
    transformations = [{"id": "organize", "options": {"excludeByName": {name: True for name in hidden}}}]
    return Panel(
        "table",
        "Alerts that fire",
        "short",
        [('ALERTS{alertname=~"Smc.*", alertstate="firing"}', "{{alertname}}")],
        about="The name of each links to its page: what it means, what to do, when to kill.",
        overrides=overrides,
        transformations=transformations,
        noValue="nothing fires",
        **more,
    )


def counter(name):
    return f"rate({name}{{{OWN}}}[$__rate_interval])"


def jumps(name):
    """How much a counter of rare things grew in each step of the picture."""
    return f"increase({name}{{{OWN}}}[$__rate_interval])"


def use_of(limit):
    return f'max by (instance) (smc_risk_use_ratio{{{OWN}, limit=~"{limit}"}})'


RISK_COLUMNS = [
    {"id": "merge", "options": {}},
    {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True, "job": True, "__name__": True},
            "renameByName": {"Value #A": "use", "Value #B": "used", "Value #C": "limit value"},
        },
    },
]
RISK_OVERRIDES = [
    {
        "matcher": {"id": "byName", "options": "use"},
        "properties": [
            {"id": "unit", "value": "percentunit"},
            {"id": "custom.cellOptions", "value": {"type": "gauge", "mode": "basic"}},
            {"id": "min", "value": 0},
            {"id": "max", "value": 1},
            {"id": "thresholds", "value": USE},
        ],
    }
]

OVERVIEW = [
    (
        "Now",
        [
            stat("State", "none", f"smc:engine_state:level{{{OWN}}}", mappings=STATE_TEXTS, thresholds=LEVELS),
            stat("Alive", "none", f"smc_engine_alive{{{OWN}}}", mappings=YES_NO, thresholds=GOOD_AT_ONE),
            stat(
                "Critical alerts",
                "none",
                'count(ALERTS{alertname=~"Smc.*", alertstate="firing", severity="critical"}) or vector(0)',
                "critical",
                thresholds=BAD_ABOVE_ZERO,
            ),
            stat("Largest use of a limit", "percentunit", f"max by (instance) (smc:risk_use_ratio:held{{{OWN}}})", thresholds=USE),
            stat("Order latency p99", "s", f'smc:latency_seconds:p99{{{OWN}, stretch="wire_to_wire"}}', about="Wire to wire, the last five minutes, estimated from buckets."),
            stat("Running for", "s", f"smc_up_seconds{{{OWN}}}"),
            stat("Equity", "short", f"smc_equity{{{OWN}}}", "{{asset}}", decimals=2),
            stat("Realised", "short", f"smc_pnl_realised{{{OWN}}}", "{{asset}}", decimals=2, thresholds=steps(RED, (0, GREEN))),
            stat("Open", "short", f"smc_pnl_open{{{OWN}}}", "{{asset}}", decimals=2, thresholds=steps(RED, (0, GREEN))),
            stat("Daily loss, of its limit", "percentunit", use_of("daily_loss.*"), thresholds=LOSS),
            stat("Orders open", "none", f"sum by (instance) (smc_orders_open{{{OWN}}})"),
            stat("Journal", "none", f"smc_journal_state{{{OWN}}}", mappings=JOURNAL_TEXTS, thresholds=steps(GREEN, (1, YELLOW), (2, RED))),
        ],
    ),
    (
        "What is wrong",
        [
            alerts(width=12),
            held(width=12),
        ],
    ),
    (
        "Money",
        [
            series("Equity", "short", (f"smc_equity{{{OWN}}}", "equity {{asset}}"), (f"smc_equity_high{{{OWN}}}", "highest {{asset}}"), decimals=2),
            series(
                "Profit and fees",
                "short",
                (f"smc_pnl_realised{{{OWN}}}", "realised {{asset}}"),
                (f"smc_pnl_open{{{OWN}}}", "open {{asset}}"),
                (f"smc_fees{{{OWN}}}", "fees {{asset}}"),
                decimals=2,
            ),
            series("Position", "short", (f"smc_position{{{OWN}}}", "{{symbol}}"), about="Base units, short below zero."),
        ],
    ),
    (
        "Activity",
        [
            series(
                "Events and messages",
                "ops",
                (f"smc:engine_events:rate1m{{{OWN}}}", "events"),
                (f"smc:engine_outputs:rate1m{{{OWN}}}", "outputs"),
                (f"smc:feed_messages:rate1m{{{OWN}}}", "messages"),
            ),
            series(
                "Orders",
                "ops",
                (counter("smc_orders_sent_total"), "sent"),
                (counter("smc_fills_total"), "fills"),
                (f"sum(rate(smc_orders_denied_total{{{OWN}}}[$__rate_interval]))", "denied by our gate"),
                (f"sum(rate(smc_orders_rejected_total{{{OWN}}}[$__rate_interval]))", "refused by venues"),
            ),
            series("Acts of people", "short", (f"sum by (command) ({jumps('smc_operator_acts_total')})", "{{command}}")),
        ],
    ),
    (
        "The process",
        [
            series(
                "Journal waits for the disk",
                "s",
                (f"smc_journal_unsynced_seconds{{{OWN}}}", "oldest record not on the disk"),
                thresholds=steps(GREEN, (0.5, YELLOW), (1, RED)),
                line=True,
            ),
            series("Observer is behind", "short", (f"smc_journal_observer_lag_records{{{OWN}}}", "records")),
            series("Journal", "bytes", (f"smc_journal_bytes{{{OWN}}}", "journal"), (f"smc_journal_disk_free_bytes{{{OWN}}}", "free on its disk")),
            series("Memory", "bytes", (f"smc_process_resident_bytes{{{OWN}}}", "resident")),
            series("Processor", "percentunit", (counter("smc_process_cpu_seconds_total"), "cores used")),
            series("Records", "short", (f"smc_journal_seq{{{OWN}}}", "journal record")),
            Panel(
                "table",
                "Builds",
                "short",
                [(f"smc_build_info{{{OWN}}}", "{{version}}")],
                width=24,
                height=4,
                transformations=[{"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True, "__name__": True, "job": True}}}],
            ),
        ],
    ),
]


def stretch_panel(stretch, title):
    of = f'{OWN}, stretch="{stretch}"'
    return series(
        title,
        "s",
        (f"smc:latency_seconds:p50{{{of}}}", "p50"),
        (f"smc:latency_seconds:p99{{{of}}}", "p99"),
        (f"smc:latency_seconds:p999{{{of}}}", "p99.9"),
        (f'smc:latency_seconds:target{{stretch="{stretch}"}}', "target of p99"),
        about="Five minutes, estimated from buckets.",
        log=True,
    )


LATENCY = [
    (
        "Orders",
        [
            stretch_panel("wire_to_wire", "Wire to wire"),
            stretch_panel("wire_to_decision", "Wire to decision"),
            stretch_panel("decision_to_wire", "Decision to wire"),
            heat("Wire to wire, every order", "smc_latency_seconds", f'{OWN}, stretch="wire_to_wire"', width=16, height=9),
            series(
                "Samples",
                "ops",
                (f"sum by (stretch) (rate(smc_latency_seconds_count{{{OWN}}}[$__rate_interval]))", "{{stretch}}"),
                (counter("smc_latency_samples_lost_total"), "lost"),
                height=9,
            ),
        ],
    ),
    (
        "The engine's thread",
        [
            series(
                "Turns that did something",
                "s",
                (f"smc:turn_seconds:p50{{{OWN}}}", "p50"),
                (f"smc:turn_seconds:p99{{{OWN}}}", "p99"),
                (f"smc:turn_seconds:p999{{{OWN}}}", "p99.9"),
                log=True,
                thresholds=steps(GREEN, (0.002, RED)),
                line=True,
            ),
            heat("Turns", "smc_turn_seconds", OWN),
            series("Rings that were full", "short", (jumps("smc_ring_full_total"), "orders that never left"), (jumps("smc_feed_conflated_total"), "quotes conflated")),
        ],
    ),
    (
        "The host",
        [
            series(
                "Jitter: how late a sleeping thread wakes",
                "s",
                (f"smc:host_jitter_seconds:p50{{{OWN}}}", "p50"),
                (f"smc:host_jitter_seconds:p99{{{OWN}}}", "p99"),
                log=True,
                thresholds=steps(GREEN, (0.001, RED)),
                line=True,
            ),
            heat("Jitter", "smc_host_jitter_seconds", OWN),
            series("Load", "short", (f"smc_host_load1{{{OWN}}}", "load of one minute")),
        ],
    ),
]

RISK = [
    (
        "Losses, of their limits",
        [
            stat("Daily loss", "percentunit", use_of("daily_loss.*"), thresholds=LOSS, width=6),
            stat("Drawdown", "percentunit", use_of("drawdown.*"), thresholds=LOSS, width=6),
            stat("Largest other use", "percentunit", f"max by (instance) (smc:risk_use_ratio:held{{{OWN}}})", thresholds=USE, width=6),
            stat("State", "none", f"smc:engine_state:level{{{OWN}}}", mappings=STATE_TEXTS, thresholds=LEVELS, width=6),
            series(
                "Losses and value at risk, of equity",
                "percentunit",
                (f"smc_daily_loss_ratio{{{OWN}}}", "lost today"),
                (f"smc_drawdown_ratio{{{OWN}}}", "below the highest"),
                (f"smc_var_ratio{{{OWN}}}", "value at risk"),
                (f'smc_risk_limit{{{OWN}, limit=~"daily_loss_ppm|drawdown_ppm|var_ppm_max"}}', "limit: {{limit}}"),
                width=12,
            ),
            series(
                "Exposure",
                "short",
                (f"smc_exposure_gross{{{OWN}}}", "gross {{asset}}"),
                (f"smc_exposure_net{{{OWN}}}", "net {{asset}}"),
                (f"smc_equity{{{OWN}}}", "equity {{asset}}"),
                decimals=2,
                width=12,
            ),
        ],
    ),
    (
        "Limits",
        [
            Panel(
                "bargauge",
                "Use of each limit, the worst of its scopes",
                "percentunit",
                [(f"sort_desc(smc:risk_use_ratio:max{{{OWN}}})", "{{limit}}")],
                thresholds=USE,
                width=8,
                height=12,
                min=0,
                max=1,
            ),
            Panel(
                "table",
                "Limits and what is used, in base units",
                "short",
                [
                    (f"smc_risk_use_ratio{{{OWN}}}", "use"),
                    (f"smc_risk_used{{{OWN}}}", "used"),
                    (f"smc_risk_limit{{{OWN}}}", "limit"),
                ],
                overrides=RISK_OVERRIDES,
                transformations=RISK_COLUMNS,
                width=16,
                height=12,
            ),
            series("Use over time", "percentunit", (f"smc:risk_use_ratio:max{{{OWN}}}", "{{limit}}"), thresholds=USE, line=True, width=24, min=0),
        ],
    ),
    (
        "What stops it",
        [
            held(width=12),
            series("Orders denied, by check", "ops", (f"sum by (check) ({counter('smc_orders_denied_total')}) > 0", "{{check}}"), stack=True, width=12),
            series("Alerts of the engine", "short", (f"sum by (kind) ({jumps('smc_alerts_total')}) > 0", "{{kind}}"), width=12),
            series("Acts of people", "short", (f"sum by (command) ({jumps('smc_operator_acts_total')}) > 0", "{{command}}"), width=12),
            alerts(width=24),
        ],
    ),
]

VENUE = [
    (
        "Orders",
        [
            states("Orders can be sent", "none", (f"smc_venue_ready{{{OWN}}}", "{{venue}}"), mappings=YES_NO, thresholds=GOOD_AT_ONE),
            series(
                "Request budget left",
                "percentunit",
                (f"smc_venue_budget_left_ratio{{{OWN}}}", "{{venue}}"),
                thresholds=steps(RED, (0.2, YELLOW), (0.3, GREEN)),
                line=True,
                min=0,
                max=1,
            ),
            series(
                "Clock: the venue's beside ours",
                "s",
                (f"smc_venue_clock_offset_seconds{{{OWN}}}", "{{venue}}"),
                about="Beyond half a second nothing can be signed.",
                thresholds=steps(RED, (-0.5, YELLOW), (-0.25, GREEN), (0.25, YELLOW), (0.5, RED)),
                line=True,
            ),
            series(
                "Sent and answered",
                "ops",
                (counter("smc_orders_sent_total"), "sent"),
                (counter("smc_orders_acked_total"), "acked"),
                (counter("smc_cancels_sent_total"), "cancels"),
                (counter("smc_fills_total"), "fills"),
            ),
            series("Refused, by venue and code", "ops", (f"sum by (venue, code) ({counter('smc_orders_rejected_total')})", "{{venue}} {{code}}"), stack=True),
            series("Reconnects of the order path", "short", (jumps("smc_venue_reconnects_total"), "{{venue}}")),
        ],
    ),
    (
        "Market data",
        [
            states("Feed is live", "none", (f"smc_feed_live{{{OWN}}}", "{{symbol}}"), mappings=YES_NO, thresholds=GOOD_AT_ONE),
            series("Age of the last price", "s", (f"smc_feed_age_seconds{{{OWN}}}", "{{symbol}}"), thresholds=steps(GREEN, (30, RED)), line=True),
            series("Messages", "ops", (counter("smc_feed_messages_total"), "messages")),
            series(
                "Holes",
                "short",
                (jumps("smc_feed_gaps_total"), "gaps"),
                (jumps("smc_feed_resyncs_total"), "resyncs"),
                (jumps("smc_feed_reconnects_total"), "reconnects"),
            ),
            series("Not used", "short", (jumps("smc_feed_refused_total"), "refused"), (jumps("smc_feed_conflated_total"), "conflated")),
            series("Orders open", "short", (f"smc_orders_open{{{OWN}}}", "{{symbol}}")),
            alerts(width=24),
        ],
    ),
]

STRUCTURE = [
    (
        "Where the market stands",
        [
            states("Trend", "none", (f"smc_trend{{{OWN}}}", "{{symbol}} {{timeframe}}"), mappings=TREND_TEXTS, thresholds=steps(RED, (0, "gray"), (1, GREEN)), width=12, height=9),
            series("Zones open", "short", (f"sum by (symbol, kind) (smc_zones_open{{{OWN}}})", "{{symbol}} {{kind}}"), width=12, height=9),
            series("Order blocks open", "short", (f'smc_zones_open{{{OWN}, kind="order_block"}}', "{{symbol}} {{timeframe}}")),
            series("Fair value gaps open", "short", (f'smc_zones_open{{{OWN}, kind="fair_value_gap"}}', "{{symbol}} {{timeframe}}")),
            series("Liquidity pools open", "short", (f'smc_zones_open{{{OWN}, kind="liquidity"}}', "{{symbol}} {{timeframe}}")),
        ],
    ),
    (
        "What happens",
        [
            series("Structures, by kind", "ops", (f"sum by (kind) (smc:structures:rate5m{{{OWN}}}) > 0", "{{kind}}"), stack=True, width=12, height=10),
            series("Structures, by timeframe", "ops", (f"sum by (timeframe) (smc:structures:rate5m{{{OWN}}})", "{{timeframe}}"), stack=True, width=12, height=10),
            Panel(
                "bargauge",
                "Structures since the start",
                "short",
                [(f"sort_desc(sum by (kind) (smc_structures_total{{{OWN}}}) > 0)", "{{kind}}")],
                width=12,
                height=12,
                min=0,
            ),
            series(
                "From signal to fill",
                "short",
                (f"smc_engine_signals_total{{{OWN}}}", "signals"),
                (f"smc_orders_sent_total{{{OWN}}}", "orders sent"),
                (f"sum(smc_orders_denied_total{{{OWN}}})", "orders denied"),
                (f"smc_fills_total{{{OWN}}}", "fills"),
                width=12,
                height=12,
            ),
        ],
    ),
    (
        "What came of it",
        [
            series("Position", "short", (f"smc_position{{{OWN}}}", "{{symbol}}"), width=12),
            series("Profit", "short", (f"smc_pnl_realised{{{OWN}}}", "realised {{asset}}"), (f"smc_pnl_open{{{OWN}}}", "open {{asset}}"), decimals=2, width=12),
        ],
    ),
]

DASHBOARDS = [
    ("smc-overview", "SMC overview", "Is it alive, what does it hold, what is wrong.", OVERVIEW),
    ("smc-latency", "SMC latency", "From a price on the wire to an order on the wire, and who was in the way.", LATENCY),
    ("smc-risk", "SMC risk", "Limits and what is used of them, losses, what is held down and by whom.", RISK),
    ("smc-venue", "SMC venues", "Feeds and order paths.", VENUE),
    ("smc-structure", "SMC structure", "Market structure, from trend to fill.", STRUCTURE),
]


def laid_out(rows):
    """Panels in their places, and the titles of rows between them."""
    panels, y = [], 0
    for title, content in rows:
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}, "panels": []})
        x, y, height = 0, y + 1, 0
        for panel in content:
            if x + panel.width > 24:
                x, y, height = 0, y + height, 0
            panels.append(panel.json(len(panels) + 1, x, y))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return panels


def link(**what):
    return {"asDropdown": False, "icon": "external link", "includeVars": True, "keepTime": True, "tags": [], "targetBlank": False, "tooltip": "", "url": "", **what}


def dashboard(uid, title, about, rows):
    annotation = {
        "name": "Critical alerts",
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": RED,
        "expr": 'ALERTS{alertname=~"Smc.*", alertstate="firing", severity="critical"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{instance}} {{scope}} {{symbol}} {{venue}}",
        "step": "10s",
    }
    variables = [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0, "multi": False, "includeAll": False},
        {
            "name": "instance",
            "label": "Engine",
            "type": "query",
            "datasource": SOURCE,
            "definition": 'label_values(up{job="smc"}, instance)',
            "query": {"query": 'label_values(up{job="smc"}, instance)', "refId": "instance"},
            "refresh": 2,
            "sort": 1,
            "hide": 0,
            "multi": True,
            "includeAll": True,
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        },
        {
            "name": "runbooks",
            "label": "Runbooks at",
            "type": "textbox",
            "query": RUNBOOKS,
            "current": {"text": RUNBOOKS, "value": RUNBOOKS},
            "hide": 0,
        },
    ]
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["smc"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "5s",
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "timezone": "utc",
        "links": [
            link(title="Dashboards", type="dashboards", tags=["smc"]),
            link(title="Runbooks", type="link", url="${runbooks}/README.md", icon="doc", targetBlank=True, keepTime=False, includeVars=False),
        ],
        "templating": {"list": variables},
        "annotations": {"list": [annotation]},
        "panels": laid_out(rows),
    }


def main():
    is_check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not is_check:
        sys.exit(__doc__)
    stale = []
    for uid, title, about, rows in DASHBOARDS:
        path = HERE / f"{uid}.json"
        text = json.dumps(dashboard(uid, title, about, rows), indent=1, ensure_ascii=False) + "\n"
        if not is_check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
    if is_check:
        known = {f"{uid}.json" for uid, *_ in DASHBOARDS}
        stale += sorted(path.name for path in HERE.glob("*.json") if path.name not in known)
    if stale:
        sys.exit(f"generate.py: not what it writes: {', '.join(stale)}; run it without --check")
    print(f"{len(DASHBOARDS)} dashboards {'are as generated' if is_check else 'written'}")


if __name__ == "__main__":
    main()
