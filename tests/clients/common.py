"""What the clients' scripts share: where the venue is, the list of the calls made, and what streams brought.

Usage of each script: NAME.py HOST:PORT KEY SECRET CA_FILE; for Oanda the account's id and its token. It prints each call
made with what it brought, and exits with 1 at the first thing that is wrong.
"""

import asyncio
import os
import sys
import threading

ADDRESS, KEY, SECRET, CA = sys.argv[1:5]
# How long something that should come may take; it only ends a run that has failed.
PATIENCE_S = 60
made = 0

# The certificate, for libraries that take it from the environment.
os.environ["REQUESTS_CA_BUNDLE"] = os.environ["WEBSOCKET_CLIENT_CA_BUNDLE"] = CA


def call(name, result):
    """One call that was made, in one line."""
    global made
    made += 1
    shown = f"{len(result)} of them" if isinstance(result, list) and len(result) > 3 else result
    print(f"  {name}: {' '.join(str(shown).split())[:100]}")
    return result


def check(claim, what):
    if not claim:
        print(f"wrong: {what}")
        sys.exit(1)


def done():
    print(f"{made} calls")


class Heard:
    """What streams brought, one thread writing and another reading."""

    def __init__(self, lines=None):
        self.changed = threading.Condition()
        self.messages = []
        if lines is not None:
            threading.Thread(target=self.read, args=(lines,), daemon=True).start()

    def read(self, lines):
        for line in lines:
            self.take(line)

    def take(self, message):
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def wait(self, what, found):
        """The first thing that `found` finds in the messages."""
        with self.changed:
            result = self.changed.wait_for(lambda: found(self.messages), timeout=PATIENCE_S)
        check(result, f"{what} did not come; heard {self.messages[-3:]}")
        return result


class Events:
    """What the official SDKs' streams brought, all on one loop."""

    def __init__(self):
        self.changed = asyncio.Condition()
        self.messages = []

    def take(self, event):
        instance = getattr(event, "actual_instance", event)
        # The SDKs tell private events apart by class, and drop their names.
        named = {"e": type(instance).__name__}
        self.messages.append({**named, **(instance.to_dict() if hasattr(instance, "to_dict") else instance)})
        asyncio.ensure_future(self.notify())

    async def notify(self):
        async with self.changed:
            self.changed.notify_all()

    async def wait(self, what, found):
        async def come():
            async with self.changed:
                await self.changed.wait_for(lambda: found(self.messages))

        try:
            await asyncio.wait_for(come(), PATIENCE_S)
        except asyncio.TimeoutError:
            check(False, f"{what} did not come; heard {self.messages[-3:]}")
        print(f"  heard {what}")

    async def wait_kinds(self, *kinds):
        for kind in kinds:
            await self.wait(kind, lambda events: any(event.get("e") == kind for event in events))


def at_simulator(exchange):
    """A ccxt exchange, its addresses led here and its certificate told."""
    for name, url in exchange.urls["api"].items():
        if isinstance(url, str):
            exchange.urls["api"][name] = "/".join([f"https://{ADDRESS}", *url.split("/")[3:]])
    exchange.session.trust_env = exchange.requests_trust_env = True
    return exchange
