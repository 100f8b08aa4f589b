"""Asks mxcryptd for many domains over some connections at once, as the processes of smtp(8) do."""

import concurrent.futures
import time

import places  # noqa: F401  (first: where the others are)
import clients

CONNECTIONS = 16
PAUSE_S = 0.2
PATIENCE_S = 120


def ask_share(path, names):
    """name -> (the last answer, how often it was TEMP before). A domain with TEMP is asked again when the others have an answer."""
    answers, waited = {}, dict.fromkeys(names, 0)
    left, end = list(names), time.monotonic() + PATIENCE_S
    with clients.Socketmap(path) as connection:
        while left:
            for name in left:
                answers[name] = connection.ask(name)
            left = [name for name in left if answers[name].startswith("TEMP")]
            if not left or time.monotonic() > end:
                break
            for name in left:
                waited[name] += 1
            time.sleep(PAUSE_S)
    return {name: (answers[name], waited[name]) for name in names}


def ask_all(path, names, connections=CONNECTIONS):
    """The same, by several connections, each with its part of the names."""
    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        parts = pool.map(lambda first: ask_share(path, names[first::connections]), range(connections))
        return {name: answer for part in parts for name, answer in part.items()}
