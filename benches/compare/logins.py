#!/usr/bin/env python3
"""Impossible travel beside what others do, on one labelled stream of logins.

  logins.py EVENTS.jsonl LABELS.jsonl RASID RULES [NAME]

An event a line, in order of arrival: event_id, user_id, recv_ts, ip, lat, lon, accuracy_km, country, device_id, asn_type. A label a line:
event_id, kind, fraud, impossible. An incident is an alert about a user who had none for a day; it is right from the thief's first login to
the owner's next one. Recall is of takeovers that a place can show ("impossible"). Standard library only.

  naive     over 900 km/h from the login before
  panther   impossible_travel_login of panther-analysis: over 900 km/h and not under 50 km in 10 min, from the login before within a day and from
            another address; VPN and satellite are never the one before, and of themselves tell an INFO, which is no alert here
  elastic   Entra ID / Google Workspace of detection-rules: 800 km/h and 500 km between two logins within 90 min, then silence for 30 min
  datadog   over 1000 km/h and 500 km from the login before; after a day, places that the user was at within 30 days are silent
"""
import json, math, subprocess, sys, tempfile
from datetime import datetime

DAY = 86_400.0


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def km(a, b):
    p, q = math.radians(a["lat"]), math.radians(b["lat"])
    h = math.sin((q - p) / 2) ** 2 + math.cos(p) * math.cos(q) * math.sin(math.radians(b["lon"] - a["lon"]) / 2) ** 2
    return 12_742.0176 * math.asin(min(1.0, math.sqrt(h)))


def hours(a, b):
    return max(abs(b["t"] - a["t"]) / 3600, 0.0001)


def naive(logins):
    return [b for a, b in zip(logins, logins[1:]) if km(a, b) / hours(a, b) > 900]


def panther(logins):
    before, hits = None, []
    for login in logins:
        egress = login["asn_type"] in ("vpn", "satellite")
        if before and login["t"] - before["t"] <= DAY and login["ip"] != before["ip"] and not egress:
            far, span = km(before, login), hours(before, login)
            if far / span > 900 and not (far < 50 and span < 1 / 6):
                hits.append(login)
        if not egress:
            before = login
    return hits


def elastic(logins):
    hits, quiet, window = [], 0.0, []
    for login in logins:
        window = [other for other in window if login["t"] - other["t"] <= 5400]
        if login["t"] >= quiet and any(
            other["t"] < login["t"] and km(other, login) >= 500 and km(other, login) / hours(other, login) >= 800 for other in window
        ):
            hits.append(login)
            quiet = login["t"] + 1800
        window.append(login)
    return hits


def datadog(logins):
    hits, seen, before = [], [], None
    for login in logins:
        known = any(login["t"] - at <= 30 * DAY and place["country"] == login["country"] and km(place, login) <= 60 for place, at in seen)
        learning = login["t"] - logins[0]["t"] <= DAY
        if before and not learning and not known and km(before, login) > 500 and km(before, login) / hours(before, login) > 1000:
            hits.append(login)
        seen = [(place, at) for place, at in seen if km(place, login) > 10] + [(login, login["t"])]
        before = login
    return hits


def rasid(rows, binary, rules):
    """Alerts by rule, each with its login."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as source, tempfile.NamedTemporaryFile("r", suffix=".jsonl") as out:
        for row in rows:
            place = {"lat": row["lat"], "lon": row["lon"], "accuracy_km": row["accuracy_km"], "source": "geoip"}
            data = {**{key: row[key] for key in ("user_id", "device_id", "ip", "country", "asn_type")}, "method": "otp", "location": place}
            event = {"specversion": "1.0", "id": str(row["event_id"]), "source": "/logins", "type": "auth.login_succeeded",
                     "time": row["recv_ts"], "receivedtime": row["recv_ts"], "data": data}
            source.write(json.dumps(event) + "\n")
        source.flush()
        subprocess.run([binary, "detect", source.name, "--rules", rules, "--no-suppress", "--alerts", out.name],
                       check=True, stdout=subprocess.DEVNULL)
        by_id = {str(row["event_id"]): row for row in rows}
        return [(by_id[alert["event"]["id"]], alert["rule"]) for alert in map(json.loads, out) if alert["rule"].startswith("auth.")]


def main():
    events, labels, binary, rules, *name = sys.argv[1:]
    rows = [json.loads(line) for line in open(events)]
    label = {entry["event_id"]: entry for entry in map(json.loads, open(labels))}
    users = {}
    for row in rows:
        row["t"] = seconds(row["recv_ts"])
        users.setdefault(row["user_id"], []).append(row)
    is_fraud = lambda row: label.get(row["event_id"], {}).get("fraud", False)
    taken = {}
    for user, logins in users.items():
        bad = [row for row in logins if is_fraud(row)]
        if bad:
            back = [row["t"] for row in logins if row["t"] > bad[-1]["t"] and not is_fraud(row)]
            end = back[0] if back and back[0] < bad[-1]["t"] + DAY else bad[-1]["t"]
            of = [label[row["event_id"]] for row in bad]
            taken[user] = (bad[0]["t"], end, of[0]["kind"], any(entry["impossible"] for entry in of))
    visible = [user for user, window in taken.items() if window[3]]

    def score(what, hits):
        right, wrong, caught, last = 0, 0, set(), {}
        for row in sorted(hits, key=lambda row: row["t"]):
            user, window = row["user_id"], taken.get(row["user_id"])
            is_right = bool(window and window[0] <= row["t"] <= window[1])
            is_new = user not in last or row["t"] - last[user] > DAY
            last[user] = row["t"]
            caught |= {user} if is_right else set()
            right, wrong = right + (is_new and is_right), wrong + (is_new and not is_right)
        kinds = {}
        for user, window in taken.items():
            of = kinds.setdefault(window[2], [0, 0])
            of[0], of[1] = of[0] + (user in caught), of[1] + 1
        by_kind = ", ".join(f"{kind.removeprefix('ato_')} {got}/{all_}" for kind, (got, all_) in sorted(kinds.items()))
        print(f"| {what} | {right / max(1, right + wrong):.3f} | {sum(user in caught for user in visible) / max(1, len(visible)):.3f} "
              f"| {1e4 * wrong / len(rows):.2f} | {by_kind} |", flush=True)

    print(f"{' '.join(name)} {len(rows)} logins, {len(taken)} takeovers, {len(visible)} of them visible\n")
    print("| | precision | recall, visible | false incidents per 10 000 logins | takeovers found |\n|---|---|---|---|---|")
    for peer in (naive, panther, elastic, datadog):
        score(peer.__name__, [hit for logins in users.values() for hit in peer(logins)])
    found = rasid(rows, binary, rules)
    score("rasid", [row for row, _ in found])
    for rule in sorted({rule for _, rule in found}):
        score(rule, [row for row, of in found if of == rule])


main()
