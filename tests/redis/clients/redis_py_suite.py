"""Runs redis-py's own tests against the server at PORT and writes each one's outcome to the file OUTCOMES.

Works in the unpacked source distribution of redis-py. Exits with 0 when all tests were run, whatever their outcome.
"""

import os
import re
import socket
import sys

import pytest
import redis
from redis._parsers.base import BaseParser

PORT = int(os.environ["PORT"])
URL = f"redis://127.0.0.1:{PORT}/0"
FILES = [f"tests/test_{name}.py" for name in ("commands", "connection", "encoding", "pipeline")]
# What takes modules, a cluster, certificates or a replica; the markers are the suite's.
NOT_HERE = ("redismod", "onlycluster", "ssl", "replica")
TEST_LIMIT_SECONDS = 20
SESSION_LIMIT_SECONDS = 240

# What the server answers to a command, subcommand, option or database that it does not have.
REFUSAL = re.compile(
    r"unknown (sub)?command|Unknown option or number|\bnot served\b|\byet\b|DB index is out of range|Invalid command"
)
# What an answer has less of than Redis's, where a test asks for so much; no error tells it.
FEWER_COMMANDS = "COMMAND knows fewer commands than Redis"
FEWER_PARAMETERS = "CONFIG GET knows fewer parameters than Redis"
KNOWN_GAPS = {
    "test_command": FEWER_COMMANDS,
    "test_command_count": FEWER_COMMANDS,
    "test_command_list": FEWER_COMMANDS,
    "test_config_get_multi_params": FEWER_PARAMETERS,
}
# redis-py asks for this on its own at the start of some connections, and goes on without it.
OWN_QUESTION = "MAINT_NOTIFICATIONS"
# Errors that no refusal explains, because a refusing server answers at once and goes on serving.
NEVER_EXCUSED = (redis.ConnectionError, redis.TimeoutError, pytest.fail.Exception)

error_replies = []
resolve = socket.getaddrinfo
parse_error = BaseParser.parse_error.__func__


def resolve_here(host, port, *arguments, **options):
    """Sends tests that insist on Redis's port to the server: nobody else's Redis is to be flushed."""
    if port == 6379:
        host, port = "127.0.0.1", PORT
    return resolve(host, port, *arguments, **options)


def record_error(cls, reply):
    error_replies.append(reply.removeprefix("ERR "))
    return parse_error(cls, reply)


def folded(text):
    """Returns the first line without what differs from run to run."""
    line = (text.splitlines() or [""])[0].partition(", with args beginning with")[0]
    line = re.sub(r"0x[0-9a-f]+", "ADDRESS", line.replace(str(PORT), "PORT"))
    return re.sub(r"\b\d{2,}", "NUMBER", re.sub(r"\{.+\}", "{...}", line))


def first_refusal():
    """Returns what the server refused first in the test that is running."""
    refusals = (folded(reply) for reply in error_replies if OWN_QUESTION not in reply)
    return next(filter(REFUSAL.search, refusals), None)


def why_failed(test, error):
    """Names the refusal or the gap that a test stopped at, or says FAILED."""
    text = folded(str(error))
    if isinstance(error, redis.ResponseError) and REFUSAL.search(text):
        return text
    if not isinstance(error, NEVER_EXCUSED):
        if refusal := first_refusal():
            return f"{refusal}; then {type(error).__name__}"
        if gap := KNOWN_GAPS.get(test):
            return gap
    return f"FAILED {type(error).__name__}: {text}"


def why_skipped(report):
    reason = "fails everywhere" if hasattr(report, "wasxfail") else report.longrepr[2]
    return "skipped: " + reason.removeprefix("Skipped: ")


class Outcomes:
    """Collects an outcome for each test: that of its first phase that did not pass."""

    def __init__(self):
        self.tests = 0
        self.by_test = {}

    def pytest_collection_finish(self, session):
        self.tests = len(session.items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        error_replies.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if report.failed:
            self.by_test.setdefault(item.nodeid, why_failed(item.name, call.excinfo.value))
        elif report.skipped:
            self.by_test.setdefault(item.nodeid, why_skipped(report))
        elif report.when == "teardown":
            refusal = first_refusal()
            self.by_test.setdefault(item.nodeid, f"passed despite {refusal}" if refusal else "passed")
        return report


def main():
    socket.getaddrinfo = resolve_here
    BaseParser.parse_error = classmethod(record_error)
    outcomes = Outcomes()
    settings = {"addopts": "", "filterwarnings": "ignore", "timeout": TEST_LIMIT_SECONDS}
    settings["session_timeout"] = SESSION_LIMIT_SECONDS
    # Tracebacks take minutes: pytest parses a file of 8,600 lines for each.
    arguments = ["-q", "--tb=no", "-p", "no:cacheprovider", "-p", "pytest_timeout"]
    arguments += [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    arguments += ["-m", " and ".join(f"not {marker}" for marker in NOT_HERE)]
    arguments += [f"--redis-url={URL}", f"--redis-mod-url={URL}"]
    code = pytest.main([*arguments, *FILES], plugins=[outcomes])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        sys.exit(int(code))
    if len(outcomes.by_test) < outcomes.tests:
        sys.exit(f"{len(outcomes.by_test)} of {outcomes.tests} tests were run in {SESSION_LIMIT_SECONDS} s")
    with open(os.environ["OUTCOMES"], "w") as file:
        file.writelines(f"{test}: {outcome}\n" for test, outcome in sorted(outcomes.by_test.items()))


main()
