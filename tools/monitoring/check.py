#!/usr/bin/env python3
"""Holds rules, rule tests, dashboards and runbooks against each other and against the metrics that exist.

usage: check.py [--exposition FILE|URL] [--prometheus URL] [--commands SMC]

  --exposition   a scrape to take the metrics' names and label values from; tests/exposition.txt unless told otherwise
  --prometheus   a running Prometheus that has scraped an engine: every expression is asked of it
  --commands     the binary `smc`: every command of a runbook must be one that it knows

Standard library only. Without promtool what needs it is skipped, and that is said. Ends with status 1 and one line per
fault when something is wrong.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROMETHEUS, RUNBOOKS, GRAFANA = HERE / "prometheus", HERE / "runbooks", HERE / "grafana"
RULE_FILES = [PROMETHEUS / "recording.rules.yml", PROMETHEUS / "alerts.rules.yml"]
OUTPUTS = HERE.parent.parent / "engine/core/src/output.rs"
EXPOSITION = HERE / "tests/exposition.txt"
RUNBOOK_URL = '"{{ $externalLabels.runbooks }}/%s.md"'
SEVERITIES = {"critical", "warning", "info"}

# Kinds of alerts of the engine that need no alert of their own here, and why.
KINDS_SEEN_ELSEWHERE = {
    "venue_reject": "smc_orders_rejected_total tells venue and code (SmcOrderRejectStorm, SmcOrderNotSent, SmcOrdersRejectedShare)",
    "control": "smc_breaker_state tells scope and control (SmcBreakerHeld, SmcScopeStopped)",
}
# Labels whose values are all there from the start: what a rule names must be among them, or it can never fire.
COMPLETE_LABELS = {
    ("smc_alerts_total", "kind"),
    ("smc_engine_state", "state"),
    ("smc_latency_seconds_bucket", "stretch"),
    ("smc_operator_acts_total", "command"),
    ("smc_zones_open", "kind"),
    ("smc_orders_denied_total", "check"),
}
# What has no series while all is well, and why.
MAY_BE_ABSENT = {
    "smc_orders_rejected_total": "a code has a series once a venue has said it",
    "smc_venue_clock_offset_seconds": "only where the venue's clock is measured",
    "smc_venue_budget_left_ratio": "only where the venue tells its budget",
    "smc_journal_unsynced_seconds": "only where somebody syncs the journal (process.sync_ms; a demo's is the operating system's)",
    "smc_alert_last_timestamp_seconds": "a kind has a series once it was said",
    "smc_alert_notices_waiting": "only where the process has [alerts]; a demo has none",
    "smc_var_ratio": "only once there is a window of returns",
    "ALERTS": "nothing fires",
}
# What is computed from it.
RECORDED_MAY_BE_ABSENT = {"smc:orders_rejected:share10m", "smc:orders_rejected:rate5m", "smc:alert_last_seconds:age"}
# Made by Prometheus itself.
BUILT_IN = {"up", "ALERTS"}

FAULTS = []


def fault(text):
    FAULTS.append(text)


# ---------------------------------------------------------------------------------------------------------------- PromQL

AGGREGATIONS = {"sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values", "bottomk", "topk", "quantile"}
WORDS = {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "start", "end"}
LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
TOKEN = re.compile(
    r"""\s+
      | (?P<string>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')
      | (?P<number>\d[\w.]*(?:[eE][+-]?\d+)?)
      | (?P<name>[a-zA-Z_:][\w:]*)
      | (?P<mark>=~|!~|!=|==|>=|<=|.)""",
    re.X | re.S,
)


def tokens(expr):
    return [(m.lastgroup, m[m.lastgroup]) for m in TOKEN.finditer(expr) if m.lastgroup]


def selectors(expr):
    """The metrics that an expression reads: (name, [(label, operator, value)])."""
    found, words, at = [], tokens(expr), 0
    while at < len(words):
        kind, text = words[at]
        following = words[at + 1][1] if at + 1 < len(words) else ""
        at += 1
        if text == "[":
            while words[at][1] != "]":
                at += 1
        elif kind != "name" or text.lower() in WORDS:
            continue
        elif text.lower() in LISTS:
            if following == "(":
                while words[at][1] != ")":
                    at += 1
        elif following == "(" or text in AGGREGATIONS:
            continue
        else:
            matchers = []
            if following == "{":
                at += 1
                while words[at][1] != "}":
                    (_, label), (_, operator), (_, value) = words[at : at + 3]
                    matchers.append((label, operator, value[1:-1]))
                    at += 3
                    if words[at][1] == ",":
                        at += 1
            found.append((text, matchers))
    return found


def without_macros(expr, interval="1m"):
    """As Prometheus takes it: Grafana's variables filled in."""
    return expr.replace("$__rate_interval", interval).replace("$instance", ".*")


# ----------------------------------------------------------------------------------------------------------------- files


def rules_of(text):
    """Rules of a file in the layout that is used here: [{alert or record, expr, for, severity, annotations}].

    Not a reader of YAML: promtool reads the file as well, and the number of rules must agree."""
    rules, lines, at = [], text.splitlines(), 0
    while at < len(lines):
        line = lines[at]
        at += 1
        start = re.match(r"      - (alert|record): (\S+)$", line)
        field = re.match(r"(?:        |          )(expr|for|labels|summary|description|runbook_url): (.*)$", line)
        if start:
            rules.append({start[1]: start[2]})
        elif field and rules:
            value = field[2]
            if value == "|":
                block = []
                while at < len(lines) and (lines[at].startswith("          ") or not lines[at].strip()):
                    block.append(lines[at].strip())
                    at += 1
                value = "\n".join(block)
            rules[-1][field[1]] = value
    return rules


def all_rules():
    return {path.name: rules_of(path.read_text(encoding="utf-8")) for path in RULE_FILES}


def dashboards():
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(GRAFANA.glob("*.json"))}


def panels_of(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def expressions():
    """Every expression: (where, text, is it of a dashboard)."""
    for name, rules in all_rules().items():
        for rule in rules:
            yield f"{rule.get('alert') or rule.get('record')}", rule["expr"], False
    for name, dashboard in dashboards().items():
        for panel in panels_of(dashboard):
            for target in panel.get("targets", []):
                yield f"{name}: {panel['title']} {target['refId']}", target["expr"], True
        for annotation in dashboard["annotations"]["list"]:
            yield f"{name}: annotation", annotation["expr"], True
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                inner = re.fullmatch(r"label_values\((.*), \w+\)", variable["definition"])
                yield f"{name}: ${variable['name']}", inner[1] if inner else variable["definition"], True


def exposition(source):
    """Series of a scrape: {name: [{label: value}]}."""
    if re.match(r"https?://", source):
        with urllib.request.urlopen(source, timeout=10) as answer:
            text = answer.read().decode()
    else:
        text = Path(source).read_text(encoding="utf-8")
    series = {}
    for line in text.splitlines():
        sample = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+\S+", line)
        if sample and not line.startswith("#"):
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', sample[2] or ""))
            series.setdefault(sample[1], []).append(labels)
    return series


# ---------------------------------------------------------------------------------------------------------------- checks


def promtool():
    """Rules, configuration, rule tests and every dashboard's expression, by Prometheus' own program."""
    program = shutil.which("promtool")
    if not program:
        print("skipped: no promtool on this machine: rules, rule tests and the dashboards' PromQL are not looked at")
        return

    def run(what, *words):
        done = subprocess.run([program, *words], capture_output=True, text=True)
        if done.returncode != 0:
            fault(f"{what}: {(done.stdout + done.stderr).strip()}")
        return done.stdout + done.stderr

    said = run("promtool check rules", "check", "rules", *map(str, RULE_FILES))
    counts = [int(n) for n in re.findall(r"(\d+) rules found", said)]
    read = [len(rules) for rules in all_rules().values()]
    if counts != read:
        fault(f"rules: promtool counts {counts}, this program read {read}: the layout of a rule is not the usual one")
    run("promtool check config", "check", "config", str(PROMETHEUS / "prometheus.yml"))
    tests = sorted((PROMETHEUS / "tests").glob("*.test.yml"))
    for path in tests:
        run(f"promtool test rules {path.name}", "test", "rules", str(path))
    asked = [expr for _, expr, is_panel in expressions() if is_panel]
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "dashboards.yml"
        rules = [{"record": f"panel:{n}", "expr": without_macros(expr)} for n, expr in enumerate(asked)]
        # JSON is YAML.
        path.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}), encoding="utf-8")
        run("promtool over the dashboards' expressions", "check", "rules", str(path))
    print(f"promtool: {sum(counts)} rules, {len(tests)} files of rule tests, {len(asked)} expressions of dashboards")


def alerts_are_whole():
    """Severity, text, page, tests of each alert; no page without an alert."""
    alerts = [rule for rule in all_rules()["alerts.rules.yml"] if "alert" in rule]
    names = [rule["alert"] for rule in alerts]
    for name in sorted({name for name in names if names.count(name) > 1}):
        fault(f"{name}: two alerts of this name")
    fires, is_quiet = tested()
    index = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    for rule in alerts:
        name = rule["alert"]
        severity = re.fullmatch(r"\{severity: (\w+)\}", rule.get("labels", ""))
        if not severity or severity[1] not in SEVERITIES:
            fault(f"{name}: labels must be {{severity: {'|'.join(sorted(SEVERITIES))}}}")
        for field in ("summary", "description"):
            if len(rule.get(field, "")) < 12:
                fault(f"{name}: no {field}")
        if "{{" not in rule.get("summary", "") + rule.get("description", "") and name != "SmcTargetMissing":
            fault(f"{name}: neither summary nor description tells whose or how much")
        if rule.get("runbook_url") != RUNBOOK_URL % name:
            fault(f"{name}: runbook_url must be {RUNBOOK_URL % name}")
        page = RUNBOOKS / f"{name}.md"
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        for part in (f"# {name}\n", "**Means.**", "**Look**", "**Do**", "**Kill?**"):
            if part not in text:
                fault(f"runbooks/{name}.md: no `{part.strip()}`")
        if severity and f"`{severity[1]}`" not in text:
            fault(f"runbooks/{name}.md: another severity than {severity[1]}")
        if f"[{name}]({name}.md)" not in index:
            fault(f"runbooks/README.md: no line for {name}")
        if name not in fires:
            fault(f"{name}: no rule test in which it fires")
        if name not in is_quiet:
            fault(f"{name}: no rule test in which it does not fire")
    for page in RUNBOOKS.glob("*.md"):
        if page.stem not in names and page.name != "README.md":
            fault(f"runbooks/{page.name}: no alert of that name")
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (RUNBOOKS / target).exists():
                fault(f"runbooks/{page.name}: link to {target}, which is not there")
    print(f"alerts: {len(alerts)} with page and tests")


def tested():
    """Names of the alerts that fire in a rule test, and of those that do not in one."""
    fires, is_quiet = set(), set()
    for path in (PROMETHEUS / "tests").glob("*.test.yml"):
        text = path.read_text(encoding="utf-8")
        is_quiet |= set(re.findall(r"\{alertname: (\w+), eval_time: \w+, exp_alerts: \[\]\}", text))
        fires |= set(re.findall(r"alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:\n +- exp_labels", text))
    return fires, is_quiet


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def variants(enum):
    """Names of an enum of the engine's outputs, in the form of a label."""
    text = OUTPUTS.read_text(encoding="utf-8")
    body = re.search(rf"pub enum {enum} \{{(.*?)\n\}}", text, re.S)
    return {snake(name) for name in re.findall(r"^    (\w+) = \d+,", body[1], re.M)} if body else set()


def named(expr, metric, label):
    """Values of a label that an expression names, alternatives one by one; a pattern is left out."""
    for name, matchers in selectors(expr):
        for found, operator, value in matchers:
            if name == metric and found == label:
                yield from (part for part in value.split("|") if re.fullmatch(r"[\w ]+", part))


def kinds_are_covered():
    """Everything that the engine may tell a person has an alert, and controls that rules name exist."""
    kinds, controls = variants("AlertKind"), variants("Control")
    if not kinds or not controls:
        fault(f"{OUTPUTS.name}: no AlertKind or Control found")
    exprs = [rule["expr"] for rule in all_rules()["alerts.rules.yml"]]
    told = ("smc_alerts_total", "smc:alert_last_seconds:age")
    covered = {kind for expr in exprs for metric in told for kind in named(expr, metric, "kind")}
    for kind in sorted(kinds - covered - set(KINDS_SEEN_ELSEWHERE)):
        fault(f"smc_alerts_total: no alert for the kind {kind}")
    for kind in sorted((covered | set(KINDS_SEEN_ELSEWHERE)) - kinds):
        fault(f"smc_alerts_total: the engine has no alert of the kind {kind}")
    asked = {control for expr in exprs for control in named(expr, "smc_breaker_state", "control")}
    for control in sorted(asked - controls):
        fault(f"smc_breaker_state: the engine has no control {control}")


def dashboards_are_sound(found):
    """Structure: ids, places, units, legends, thresholds, links, variables. `found`: {file name: document}."""
    uids = {}
    for name, dashboard in found.items():

        def wrong(text):
            fault(f"grafana/{name}: {text}")

        uid = dashboard.get("uid", "")
        if f"{uid}.json" != name or not re.fullmatch(r"[a-z0-9-]{1,40}", uid):
            wrong(f"uid {uid!r} must be the file's name")
        if uids.setdefault(dashboard.get("title"), uid) != uid:
            wrong("a title that another dashboard has")
        if not isinstance(dashboard.get("schemaVersion"), int) or dashboard["schemaVersion"] < 36:
            wrong("schemaVersion")
        variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
        if variables.get("datasource", {}).get("type") != "datasource":
            wrong("no variable for the data source")
        links = dashboard.get("links", [])
        if not any(link["type"] == "dashboards" and set(link["tags"]) & set(dashboard["tags"]) for link in links):
            wrong("no links to the other dashboards")
        if not any("${runbooks}" in link["url"] for link in links):
            wrong("no link to the runbooks")
        seen, taken = set(), {}
        for panel in panels_of(dashboard):
            title = panel.get("title")
            if not title:
                wrong(f"panel {panel.get('id')} without a title")
            if panel["id"] in seen:
                wrong(f"{title}: its id {panel['id']} is another's too")
            seen.add(panel["id"])
            place = panel["gridPos"]
            if place["x"] < 0 or place["y"] < 0 or place["w"] < 1 or place["h"] < 1 or place["x"] + place["w"] > 24:
                wrong(f"{title}: outside the grid")
            for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
                if taken.setdefault(cell, title) != title:
                    wrong(f"{title} lies on {taken[cell]}")
                    break
            if panel["type"] == "row":
                continue
            defaults = panel["fieldConfig"]["defaults"]
            if not defaults.get("unit"):
                wrong(f"{title}: no unit")
            all_steps = [step["value"] for step in defaults.get("thresholds", {}).get("steps", [])]
            if not all_steps or all_steps[0] is not None or sorted(all_steps[1:]) != all_steps[1:]:
                wrong(f"{title}: thresholds {all_steps}")
            if not panel.get("targets"):
                wrong(f"{title}: asks nothing")
            refs = [target["refId"] for target in panel["targets"]]
            if len(set(refs)) != len(refs):
                wrong(f"{title}: refIds {refs}")
            for target in panel["targets"]:
                if not target.get("legendFormat"):
                    wrong(f"{title}: no legend")
                for source in (panel["datasource"], target["datasource"]):
                    if source != {"type": "prometheus", "uid": "${datasource}"}:
                        wrong(f"{title}: a data source of its own")
                for variable in re.findall(r"\$\{?(\w+)", target["expr"]):
                    if variable not in variables and not variable.startswith("__"):
                        wrong(f"{title}: no variable ${variable}")
    # No file may be lost, and there must be alerts with links to their pages.
    texts = json.dumps(found)
    if "${runbooks}/${__data.fields.alertname}.md" not in texts:
        fault("grafana: no panel of alerts with links to their pages")
    panels = sum(panel["type"] != "row" for dashboard in found.values() for panel in panels_of(dashboard))
    print(f"dashboards: {len(found)} with {panels} panels")


def recorded():
    return {rule["record"] for rule in all_rules()["recording.rules.yml"]}


def metrics_exist(series, exprs):
    """Each metric that an expression reads is in the scrape, each label is one of it, and each value that must be there is."""
    records = recorded()
    used = set()
    for where, expr, _ in exprs:
        for name, matchers in selectors(without_macros(expr)):
            if name in BUILT_IN:
                continue
            if name in records or name.startswith("smc:"):
                if name not in records:
                    fault(f"{where}: nothing records {name}")
                continue
            used.add(name)
            if name not in series:
                if name not in MAY_BE_ABSENT:
                    fault(f"{where}: no metric {name} in the exposition")
                continue
            for label, operator, value in matchers:
                if label in ("instance", "job"):
                    continue
                values = {labels.get(label) for labels in series[name]}
                if values == {None}:
                    fault(f"{where}: {name} has no label {label}")
                elif (name, label) in COMPLETE_LABELS:
                    parts = value.split("|") if operator in ("=~", "!~") else [value]
                    for part in parts:
                        if not any(v is not None and re.fullmatch(part, v) for v in values):
                            fault(f"{where}: {name} has no {label} {part!r}")
    families = {re.sub(r"_(bucket|sum|count)$", "", name) if f"{name.rsplit('_', 1)[0]}_bucket" in series else name for name in series}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    unused = sorted(name for name in families if name not in used and name not in shown)
    print(f"metrics: {len(used)} series names used, all looked up in {len(families)} families of the exposition")
    if unused:
        print(f"  in no dashboard and no rule: {', '.join(unused)}")


def ask(base, path, **words):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(words)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def is_filter(expr):
    """May give nothing while all is well: it compares."""
    outside = re.sub(r"\{[^}]*\}", "", expr)
    return any(text in (">", "<", ">=", "<=", "==", "!=") for kind, text in tokens(outside) if kind == "mark")


def prometheus_answers(base, exprs, interval="1m"):
    """Asks every expression of a Prometheus that scrapes an engine; a row of the table each."""
    ups = ask(base, "query", query='up{job="smc"}')["data"]["result"]
    if not ups or any(sample["value"][1] != "1" for sample in ups):
        fault(f"up is not 1: {[sample['value'][1] for sample in ups]}")
    series_of = {}
    rows = []
    for where, expr, is_panel in exprs:
        text = without_macros(expr, interval)
        answer = ask(base, "query", query=text)
        if answer["status"] != "success":
            fault(f"{where}: {answer.get('error')}")
            rows.append((where, "ERROR", ""))
            continue
        result = answer["data"]["result"]
        may_be_empty = not is_panel or is_filter(text)
        for name, _ in selectors(text):
            if name not in series_of:
                series_of[name] = len(ask(base, "query", query=f"count({name})")["data"]["result"]) > 0
            if name in MAY_BE_ABSENT or name in RECORDED_MAY_BE_ABSENT:
                may_be_empty = True
            elif not series_of[name]:
                fault(f"{where}: {name} has no series in Prometheus")
        if not result and not may_be_empty:
            fault(f"{where}: no data")
        first = result[0]["value"][1] if result else ""
        rows.append((where, str(len(result)), first))
    for group in ask(base, "rules")["data"]["groups"]:
        for rule in group["rules"]:
            if rule["health"] != "ok":
                fault(f"{rule['name']}: Prometheus says {rule['health']} {rule.get('lastError', '')}")
    print(f"{'asked':<66} {'series':>6}  first value")
    for where, count, first in rows:
        print(f"{where:<66} {count:>6}  {first}")
    firing = ask(base, "query", query='ALERTS{alertstate="firing"}')["data"]["result"]
    told = sorted(f"{sample['metric']['alertname']} ({sample['metric'].get('severity')})" for sample in firing)
    print(f"Prometheus: {len(rows)} expressions asked; firing: {', '.join(told) or 'nothing'}")


def commands_exist(program):
    """Every `smc …` of a runbook is a command that the binary knows: its words up to the first flag or argument."""
    helps = {}

    def help_of(words):
        if words not in helps:
            done = subprocess.run([program, *words, "--help"], capture_output=True, text=True)
            helps[words] = done.stdout if done.returncode == 0 else None
        return helps[words]

    def is_word(text, word):
        # A line of a list of commands, or one of the values that an argument may take.
        listed = re.search(rf"^\s+(?:- )?{re.escape(word)}(?:\s|:|$)", text, re.M)
        return bool(listed or re.search(rf"possible values: [^\]]*\b{re.escape(word)}\b", text))

    asked = set()
    for page in sorted(RUNBOOKS.glob("*.md")):
        for command in re.findall(r"`smc ([^`]*)`", page.read_text(encoding="utf-8")):
            words = command.split()
            path = []
            for word in words:
                if not re.fullmatch(r"[a-z][a-z-]*", word):
                    break
                path.append(word)
            flags = [word for word in words if word.startswith("--")]
            asked.add(command)
            known = ()
            for word in path:
                text = help_of(known)
                if text is None or not is_word(text, word):
                    fault(f"runbooks/{page.name}: `smc {command}`: no `{word}` in `smc {' '.join(known)} --help`")
                    break
                if help_of((*known, word)) is None:
                    break
                known = (*known, word)
            else:
                text = help_of(known) or ""
                for flag in flags:
                    if not re.search(rf"{re.escape(flag)}\b", text):
                        fault(f"runbooks/{page.name}: `smc {command}`: no {flag} in `smc {' '.join(known)} --help`")
    print(f"commands: {len(asked)} of the runbooks looked up in {program}")


def over(faults=None):
    """Tells what is wrong; the status to end with."""
    for text in dict.fromkeys(FAULTS if faults is None else faults):
        print(f"wrong: {text}", file=sys.stderr)
    return 1 if FAULTS else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "), description=__doc__.split("\n")[0])
    parser.add_argument("--exposition", default=str(EXPOSITION))
    parser.add_argument("--prometheus")
    parser.add_argument("--commands")
    args = parser.parse_args()
    exprs = list(expressions())
    promtool()
    alerts_are_whole()
    kinds_are_covered()
    dashboards_are_sound(dashboards())
    done = subprocess.run([sys.executable, str(GRAFANA / "generate.py"), "--check"], capture_output=True, text=True)
    print((done.stdout + done.stderr).strip())
    if done.returncode != 0:
        fault("grafana: the dashboards are not as generate.py writes them")
    metrics_exist(exposition(args.exposition), exprs)
    if args.prometheus:
        prometheus_answers(args.prometheus.rstrip("/"), exprs)
    if args.commands:
        commands_exist(args.commands)
    return over()


if __name__ == "__main__":
    sys.exit(main())
