"""The checks of check.py can fail: each fault is planted and must be noticed. `python3 -m unittest discover tools/monitoring/tests`"""

import contextlib
import copy
import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import check  # noqa: E402


def faults_of(what, *args):
    with mock.patch.object(check, "FAULTS", []) as faults, contextlib.redirect_stdout(io.StringIO()):
        what(*args)
        return " | ".join(faults)


def with_files(changes, what):
    """Runs a check over a copy of the files in which texts were replaced: {path: (old, new)}; None deletes."""
    with tempfile.TemporaryDirectory() as home:
        home = Path(home)
        for folder in ("prometheus", "prometheus/tests", "runbooks"):
            (home / folder).mkdir(exist_ok=True)
            for path in (check.HERE / folder).glob("*.*"):
                (home / folder / path.name).write_bytes(path.read_bytes())
        for name, change in changes.items():
            path = home / name
            if change is None:
                path.unlink()
                continue
            text = path.read_text() if path.exists() else ""
            assert change[0] in text, (name, change)
            path.write_text(text.replace(change[0], change[1], 1) if change[0] else change[1])
        rules = [home / "prometheus" / path.name for path in check.RULE_FILES]
        with (
            mock.patch.object(check, "PROMETHEUS", home / "prometheus"),
            mock.patch.object(check, "RUNBOOKS", home / "runbooks"),
            mock.patch.object(check, "RULE_FILES", rules),
        ):
            return faults_of(what)


class PromQl(unittest.TestCase):
    def names(self, expr):
        return [name for name, _ in check.selectors(expr)]

    def test_metrics_are_told_from_functions_labels_and_words(self):
        self.assertEqual(self.names("sum by (instance, le) (rate(a_total[5m])) > on (x) group_left (y) b:c offset 6h"), ["a_total", "b:c"])
        self.assertEqual(self.names("histogram_quantile(0.99, sum(rate(h_bucket[$__rate_interval])) without (pod))"), ["h_bucket"])
        self.assertEqual(self.names("2e9 < a and b unless c == bool 1 or vector(0)"), ["a", "b", "c"])
        self.assertEqual(self.names('topk(3, a{x=~"b{2}|sum(c)", y!="d"} * 1e-6)'), ["a"])

    def test_matchers_are_read_whole(self):
        self.assertEqual(check.selectors('a{x=~"p|q", y!="r,}"}'), [("a", [("x", "=~", "p|q"), ("y", "!=", "r,}")])])

    def test_a_comparison_may_give_nothing(self):
        self.assertTrue(check.is_filter("a > 0"))
        self.assertFalse(check.is_filter('sum(a{x!="y", z="w"}) * 2'))


class Files(unittest.TestCase):
    def test_what_is_in_the_tree_is_whole(self):
        self.assertEqual(with_files({}, check.alerts_are_whole), "")
        self.assertEqual(with_files({}, check.kinds_are_covered), "")
        self.assertEqual(faults_of(check.dashboards_are_sound, check.dashboards()), "")

    def test_a_missing_page_an_orphan_and_a_dead_link_are_noticed(self):
        self.assertIn("runbooks/SmcKilled.md: no", with_files({"runbooks/SmcKilled.md": None}, check.alerts_are_whole))
        self.assertIn("no alert of that name", with_files({"runbooks/SmcNothing.md": ("", "# x")}, check.alerts_are_whole))
        dead = {"runbooks/SmcFeedResyncStorm.md": ("(SmcFeedGaps.md", "(SmcFoodGaps.md")}
        self.assertIn("which is not there", with_files(dead, check.alerts_are_whole))
        self.assertIn("README.md: no line for SmcKilled", with_files({"runbooks/README.md": ("[SmcKilled](SmcKilled.md)", "SmcKilled")}, check.alerts_are_whole))

    def test_an_alert_without_tests_severity_or_page_is_noticed(self):
        tests = "prometheus/tests/engine.test.yml"
        renamed = with_files({tests: ("- alertname: SmcKilled\n", "- alertname: SmcOther\n")}, check.alerts_are_whole)
        self.assertIn("SmcKilled: no rule test in which it fires", renamed)
        quiet = with_files({tests: ("{alertname: SmcKilled,", "{alertname: SmcOther,")}, check.alerts_are_whole)
        self.assertIn("SmcKilled: no rule test in which it does not fire", quiet)
        rules = "prometheus/alerts.rules.yml"
        self.assertIn("labels must be", with_files({rules: ("{severity: critical}", "{severity: loud}")}, check.alerts_are_whole))
        self.assertIn("runbook_url must be", with_files({rules: ("/SmcKilled.md", "/SmcKiled.md")}, check.alerts_are_whole))

    def test_a_kind_or_control_that_the_engine_does_not_have_is_noticed(self):
        rules = "prometheus/alerts.rules.yml"
        said = with_files({rules: ('kind="overfill"', 'kind="overfil"')}, check.kinds_are_covered)
        self.assertIn("no alert for the kind overfill", said)
        self.assertIn("has no alert of the kind overfil", said)
        self.assertIn("no control triger", with_files({rules: ("operator|trigger", "operator|triger")}, check.kinds_are_covered))

    def test_a_rule_in_another_layout_is_noticed(self):
        if not check.shutil.which("promtool"):
            self.skipTest("no promtool on this machine")
        text = (check.PROMETHEUS / "alerts.rules.yml").read_text()
        body = text.split("      - alert: SmcKilled\n")[1].split("      - alert:")[0]
        moved = "".join(f"  {line}\n" for line in body.splitlines())
        # Without the rule tests, which take their time and say nothing about this.
        rules = {f"prometheus/tests/{path.name}": None for path in (check.PROMETHEUS / "tests").glob("*.yml")}
        rules |= {"prometheus/alerts.rules.yml": (f"      - alert: SmcKilled\n{body}", f"      -   alert: SmcKilled\n{moved}")}
        self.assertIn("promtool counts", with_files(rules, check.promtool))


class Dashboards(unittest.TestCase):
    def planted(self, change):
        found = copy.deepcopy(check.dashboards())
        change(found["smc-overview.json"])
        return faults_of(check.dashboards_are_sound, found)

    def test_each_fault_of_structure_is_noticed(self):
        plants = {
            "lies on": lambda d: d["panels"][2]["gridPos"].update(d["panels"][1]["gridPos"]),
            "outside the grid": lambda d: d["panels"][1]["gridPos"].update(x=22),
            "another's too": lambda d: d["panels"][2].update(id=d["panels"][1]["id"]),
            "no unit": lambda d: d["panels"][1]["fieldConfig"]["defaults"].update(unit=""),
            "thresholds": lambda d: d["panels"][1]["fieldConfig"]["defaults"]["thresholds"]["steps"].clear(),
            "no legend": lambda d: d["panels"][1]["targets"][0].update(legendFormat=""),
            "a data source of its own": lambda d: d["panels"][1].update(datasource={"type": "prometheus", "uid": "x"}),
            "no variable $engine": lambda d: d["panels"][1]["targets"][0].update(expr='a{b="$engine"}'),
            "uid 'other'": lambda d: d.update(uid="other"),
            "no links to the other": lambda d: d["links"].pop(0),
            "schemaVersion": lambda d: d.update(schemaVersion="39"),
        }
        for said, plant in plants.items():
            with self.subTest(said):
                self.assertIn(said, self.planted(plant))


class Metrics(unittest.TestCase):
    def said(self, expr):
        return faults_of(check.metrics_exist, check.exposition(str(check.EXPOSITION)), [("here", expr, True)])

    def test_metrics_labels_and_values_must_exist(self):
        self.assertEqual(self.said('rate(smc_alerts_total{kind="unprotected", instance=~"$instance"}[5m])'), "")
        self.assertIn("no metric smc_alert_total", self.said("smc_alert_total"))
        self.assertIn("no label sort", self.said('smc_alerts_total{sort="unprotected"}'))
        self.assertIn("no kind 'Unprotected'", self.said('smc_alerts_total{kind="Unprotected"}'))
        self.assertIn("no kind 'adoptd'", self.said('smc_alerts_total{kind=~"unknown_order|adoptd"}'))
        self.assertIn("nothing records smc:latency_seconds:p42", self.said("smc:latency_seconds:p42"))
        self.assertEqual(self.said("up + ALERTS"), "")


if __name__ == "__main__":
    unittest.main()
