#!/usr/bin/env python3
"""Looks at a report in a real browser: pictures at two widths, by day and by night, a PDF, and a few things that must hold.

    python3 shots.py report.html out/ [chromium]

Needs Playwright (`pip install playwright`) and a Chromium; by default the system's. Not part of the build: run it after a change of the
page, on the made run of `examples/sample.rs`, and look at the pictures. Fails when the page asks the network for anything, a script
fails, the page is wider than the screen, or a tap on a trade does not show it.
"""
import pathlib
import sys

from playwright.sync_api import sync_playwright

VIEWS = [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")]


def look(browser, page_uri, out, width, scheme):
    complaints = []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=width < 500)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    page.on("console", lambda message: complaints.append(f"console: {message.text}"))
    page.on("request", lambda request: request.url == page_uri or complaints.append(f"asked for {request.url}"))
    page.goto(page_uri)
    page.wait_for_timeout(500)
    if page.evaluate("document.documentElement.scrollWidth") > width:
        complaints.append("wider than the screen")
    page.screenshot(path=out / f"{width}-{scheme}.png", full_page=True)
    rows = page.locator("#table tbody tr")
    if rows.count() > 1:
        row = rows.nth(1)
        number = row.locator("button").inner_text()
        row.tap() if width < 500 else row.click()
        page.wait_for_timeout(300)
        if not page.inner_text("#why h3").startswith(f"Trade {number}:"):
            complaints.append(f"trade {number} was chosen and is not shown")
    context.close()
    return [f"{width} {scheme}: {complaint}" for complaint in complaints]


def main():
    page_uri = pathlib.Path(sys.argv[1]).resolve().as_uri()
    out = pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    chromium = sys.argv[3] if len(sys.argv) > 3 else "/usr/bin/chromium"
    complaints = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width, scheme in VIEWS:
            complaints += look(browser, page_uri, out, width, scheme)
        page = browser.new_page()
        page.goto(page_uri)
        page.wait_for_timeout(500)
        page.pdf(path=out / "print.pdf", format="A4")
        browser.close()
    print("\n".join(complaints) or f"{len(VIEWS)} views are sound; look at them in {out}")
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
